#pragma once

#include <memory>
#include <string>

namespace pqxx {
class connection_base;
}

namespace rahat {

/// Segments of write-ahead log that are there before they are needed. A young cluster has none: the
/// commit that fills one segment first writes the next one full of zeros, 16 MB and an fsync, and
/// all others wait for it (tens of milliseconds, several times a second under load). An older
/// cluster uses its own segments again after a checkpoint, so this only gives a new one what it
/// would have after its first hours.
///
/// Used by one thread. A step blocks for some milliseconds, the last one for a checkpoint.
class spare_log {
public:
  /// `conninfo`: a superuser's. Nothing is done while `megabytes` is 0.
  spare_log(std::string conninfo, int megabytes);
  ~spare_log();

  /// Makes the next segment. True once there are enough, also when the server cannot be asked: this
  /// is for speed alone, the next start tries again.
  bool step();

private:
  bool more();

  std::string conninfo_;
  int wanted_;   // segments
  int made_ = 0; // by this object
  std::unique_ptr<pqxx::connection_base> connection_;
};

} // namespace rahat
