#pragma once

#include "runtime/ports/membership_store.hpp"

#include <gtest/gtest.h>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

namespace rahat::conformance {

/// How long a case waits for an answer.
inline constexpr std::chrono::seconds answer_patience{20};
/// The lease of all nodes of a case; long, because nobody renews.
inline constexpr std::chrono::seconds case_ttl{60};
inline constexpr std::chrono::seconds case_vote_expiry{6};

/// One database and the nodes that share it.
class cluster_under_test {
public:
  virtual ~cluster_under_test() = default;

  /// Registers a start of a node; the error's text is what its operator reads.
  virtual std::variant<cluster::member_id, std::string> enrol(const enrolment& who,
                                                              std::chrono::milliseconds ttl) = 0;
  /// The store in the name of one incarnation; lives as long as this.
  virtual rahat::membership_store& store(const cluster::member_id& me) = 0;

  /// As the lease's thread does. False: the incarnation is over.
  virtual bool renew(const cluster::member_id& me) = 0;
  /// The lease ends that far from now, on the database's clock.
  virtual void set_lease(const cluster::member_id& of, std::chrono::milliseconds from_now) = 0;
  virtual void age_votes(std::chrono::milliseconds by) = 0;

  /// A session of that incarnation, as its writer has one.
  virtual void open_session(const cluster::member_id& of) = 0;
  virtual std::size_t sessions(const cluster::member_id& of) = 0;

  /// A commit lands.
  virtual void move_head(shard_id shard, std::int64_t to) = 0;
  /// The shard's row is left from before a promotion.
  virtual void of_another_generation(shard_id shard) = 0;

  /// Lets a store without threads work; false: it has nothing to do.
  virtual bool drive() { return false; }
};

struct cluster_subject {
  std::string name;
  std::function<std::unique_ptr<cluster_under_test>()> make;
};

class membership_suite : public testing::TestWithParam<cluster_subject> {
protected:
  using status = cluster::member_status;
  using id = cluster::member_id;

  void SetUp() override { db_ = GetParam().make(); }

  cluster_under_test& db() { return *db_; }

  /// Nodes are numbered; a larger number is a larger uuid.
  static uuid node(std::uint8_t n);
  static enrolment paper(std::uint8_t n);

  /// Registers; fails the case if that is refused.
  id joining(std::uint8_t n);
  id active(std::uint8_t n);
  std::string refusal(const enrolment& who, std::chrono::milliseconds ttl = case_ttl);

  template <class T>
  using callback = rahat::membership_store::callback<T>;

  template <class T>
  std::variant<T, error> ask(const std::function<void(callback<T>)>& call) {
    struct box {
      std::mutex mutex;
      std::condition_variable rung;
      std::optional<std::variant<T, error>> answer;
      int times = 0;
    };
    auto in = std::make_shared<box>();
    call([in](std::variant<T, error> got) {
      std::lock_guard guard{in->mutex};
      in->answer = std::move(got);
      ++in->times;
      in->rung.notify_all();
    });
    while (db_->drive()) {
    }
    std::unique_lock lock{in->mutex};
    in->rung.wait_for(lock, answer_patience, [&] { return in->answer.has_value(); });
    EXPECT_EQ(in->times, 1);
    return in->answer.value_or(error{errc::internal, "no answer came", {}});
  }

  template <class T>
  T must(std::variant<T, error> answer) {
    if (auto* e = std::get_if<error>(&answer)) {
      ADD_FAILURE() << e->message;
      return T{};
    }
    return std::get<T>(std::move(answer));
  }

  cluster_reading read(const id& as);
  std::int64_t version(const id& as) { return read(as).now.version; }
  status status_of(const id& who, const id& as);

  swap change(const id& who, status from, status to);
  swap vote(const id& voter, const id& against);
  swap bury(const id& judge, const id& who, cluster::death_reason why);
  std::optional<shard_grant> take(const id& who, shard_id shard);
  swap release(const id& who, const shard_grant& as);

private:
  std::unique_ptr<cluster_under_test> db_;
};

/// Who is a member.
class membership_store : public membership_suite {};
/// Whose a shard is.
class shard_ownership : public membership_suite {};

} // namespace rahat::conformance
