#pragma once

#include <filesystem>
#include <string>

namespace rahat::test {

/// A folder below /tmp for the files of one test, private clusters among them. A helper process
/// waits for the end of this one: it stops every Postgres in the folder and removes it even when
/// the test is killed or crashes.
class scratch_folder {
public:
  scratch_folder();
  ~scratch_folder(); // waits until all is gone

  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

private:
  std::filesystem::path path_;
  int life_line_ = -1; // the helper sees its other end close
  int helper_ = -1;
};

} // namespace rahat::test
