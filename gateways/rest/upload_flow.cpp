#include "gateways/rest/upload_flow.hpp"

#include "actors/upload/upload.pb.h"
#include "gateways/rest/staging.hpp"
#include "gateways/rest/view_fields.hpp"

#include <algorithm>
#include <deque>
#include <mutex>
#include <utility>

namespace rahat::rest {

namespace {

using outcome = std::variant<wire::Reply, error>;

std::optional<error> refusal_of(const outcome& o) {
  if (auto* why = std::get_if<error>(&o))
    return *why;
  auto& reply = std::get<wire::Reply>(o);
  if (reply.status() == 0 && reply.error() != 0)
    return error{static_cast<errc>(reply.error()), reply.message(), reply.field()};
  return std::nullopt;
}

std::chrono::year_month_day day_of(const clock& time) {
  using namespace std::chrono;
  return floor<days>(sys_time<microseconds>{microseconds(time.now_us())});
}

/// `take` and `finish` come from the session's thread, one after another; replies from any thread.
/// What is to be done next is decided under the lock and done outside of it, by one thread at a
/// time: commands leave in order, and a callback that comes at once does no harm.
class upload_flow : public std::enable_shared_from_this<upload_flow> {
public:
  upload_flow(shared_context with, http::request from, const upload_ask& ask)
      : with_(std::move(with)),
        from_(std::move(from)),
        request_(request_id(from_)),
        entity_{"upload", created_id("upload", request_)},
        staging_(with_->trust, entity_.id, day_of(with_->time)),
        reader_(reader_of(from_.content_type, staging_, with_->uploads.max_rows)) {
    auto& open = *open_command_.mutable_open();
    open.set_project(ask.project.raw());
    open.set_mode(ask.skip_bad ? pb::UPLOAD_SKIP_BAD : pb::UPLOAD_ALL);
    open.set_file_name(ask.file_name);
    open.set_content_type(from_.content_type);
  }

  void take(std::string_view piece, std::function<void(bool)> proceed) {
    auto bad = parse(piece);
    lock held(mutex_);
    enqueue();
    if (bad)
      give_up(*bad);
    proceed_ = std::move(proceed);
    pump(held);
  }

  void finish(bool complete, http::responder done) {
    file_error bad;
    if (complete && !broken_) {
      bad = reader_->finish();
      if (!bad)
        staging_.finish();
    }
    lock held(mutex_);
    enqueue();
    if (bad)
      give_up(*bad);
    else if (!complete && !verdict_)
      verdict_ = http::problem({errc::malformed_body,
                                "the file broke off: send it again with the same Idempotency-Key",
                                {}});
    ended_ = true;
    done_.emplace(std::move(done));
    pump(held);
  }

private:
  using lock = std::unique_lock<std::mutex>;
  using action = std::function<void()>;

  struct pending {
    chunk what;
    bool sent = false;    // and its reply has not come
    bool settled = false; // the entity has it
  };

  // -- session's thread, no lock ------------------------------------------------------------------

  file_error parse(std::string_view piece) {
    if (broken_)
      return std::nullopt;
    bytes_ += piece.size();
    auto bad =
        bytes_ > with_->uploads.max_bytes
            ? file_error(error{errc::body_too_large,
                               "a file may have at most " +
                                   std::to_string(with_->uploads.max_bytes) + " bytes: split it",
                               {}})
            : reader_->read(piece);
    broken_ = bad.has_value();
    return bad;
  }

  // -- under the lock -----------------------------------------------------------------------------

  void enqueue() {
    for (auto& full : staging_.take())
      queue_.push_back({std::move(full)});
  }

  /// The file is at fault: nothing of it may come to effect.
  void give_up(const error& why) {
    if (verdict_)
      return;
    verdict_ = http::problem(why);
    abandon_reason_ = why.message;
  }

  void pump(lock& held) {
    if (pumping_)
      return; // that thread will look again
    pumping_ = true;
    while (auto act = next()) {
      held.unlock();
      act();
      held.lock();
    }
    pumping_ = false;
  }

  /// The next thing to be done, if there is one.
  action next() {
    if (resting_)
      return {};
    if (verdict_)
      return wind_up();
    if (again_)
      return in_flight_ > 0 ? action{} : begin_again();
    if (asking_)
      return {};
    if (!open_ && !queue_.empty())
      return ask_open(); // not before there are rows: a file that breaks early leaves no trace
    auto unsent = std::find_if(queue_.begin(), queue_.end(),
                               [](const pending& p) { return !p.sent && !p.settled; });
    if (unsent != queue_.end() && in_flight_ < window_)
      return ask_stage(*unsent);
    if (proceed_ && queue_.size() <= staging_window)
      return [go_on = std::exchange(proceed_, {})] { go_on(true); };
    if (ended_ && queue_.empty())
      return ask_close();
    return {};
  }

  /// There is a verdict: abandon what has to be, stop reading, answer.
  action wind_up() {
    if (in_flight_ > 0 || asking_)
      return {};
    if (std::exchange(check_status_, false))
      return look();
    if (open_ && !abandon_reason_.empty())
      return ask_abandon(std::exchange(abandon_reason_, {}));
    if (proceed_)
      return [stop = std::exchange(proceed_, {})] { stop(false); };
    if (done_) {
      auto answer = [done = *done_, verdict = *verdict_] { done(verdict); };
      done_.reset();
      return answer;
    }
    return {};
  }

  /// Lets the same commands be sent again; after a rest if the entity was busy.
  action begin_again() {
    again_ = false;
    if (!std::exchange(busy_, false))
      return [] {};
    resting_ = true;
    return [self = shared_from_this()] {
      self->with_->after(upload_rest, [self] {
        lock held(self->mutex_);
        self->resting_ = false;
        self->pump(held);
      });
    };
  }

  /// True while a busy entity may be asked again; else there is a verdict.
  bool may_retry(const error& why) {
    auto now = with_->time.steady();
    if (!busy_since_)
      busy_since_ = now;
    busy_ = true;
    window_ = 1; // one at a time until it is taken
    auto patient = now - *busy_since_ < upload_patience;
    if (!patient && !verdict_)
      verdict_ = http::problem(why);
    return patient;
  }

  void not_busy() {
    busy_since_.reset();
    window_ = staging_window;
  }

  // -- commands -----------------------------------------------------------------------------------

  /// `on_outcome` runs under the lock.
  template <class F>
  action send(const uuid& id, std::string command, std::uint64_t hash, F on_outcome,
              std::optional<version_list> if_match = std::nullopt) {
    rahat::request ask;
    ask.target = entity_;
    ask.command = std::move(command);
    ask.id = id;
    ask.payload_hash = hash;
    ask.who = {from_.who.user, from_.who.role};
    ask.traceparent = from_.traceparent;
    ask.deadline = with_->time.steady() + step_timeout;
    ask.if_match = std::move(if_match);
    return [self = shared_from_this(), ask = std::move(ask), on_outcome]() mutable {
      auto& to = self->with_->entities;
      to.ask(std::move(ask), [self, on_outcome](outcome result) {
        lock held(self->mutex_);
        on_outcome(result);
        self->pump(held);
      });
    };
  }

  action ask_open() {
    asking_ = true;
    auto command = open_command_.SerializeAsString();
    auto hash = with_->trust.payload_hash({"open", command});
    auto opened = [this](outcome& result) {
      asking_ = false;
      auto why = refusal_of(result);
      open_ = !why;
      if (!why)
        not_busy();
      else if (is_retryable(why->code))
        again_ = may_retry(*why);
      else if (!verdict_)
        verdict_ = http::problem(*why);
    };
    return send(request_, std::move(command), hash, opened, nothing_yet(from_.if_match));
  }

  action ask_stage(pending& next) {
    next.sent = true;
    ++in_flight_;
    auto number = next.what.number;
    auto id = derive_id({"stage", request_.raw(), std::to_string(number)});
    return send(id, next.what.command, next.what.payload_hash,
                [this, number](outcome& result) { staged(number, refusal_of(result)); });
  }

  void staged(std::uint32_t number, const std::optional<error>& why) {
    --in_flight_;
    auto& entry = queue_[number - queue_.front().what.number];
    entry.sent = false;
    entry.settled = !why;
    if (why && is_retryable(why->code))
      again_ |= may_retry(*why);
    else if (why && number == queue_.front().what.number)
      stage_refused(*why);
    else if (why)
      again_ = true; // one before it has not been taken: that one decides
    else
      not_busy();
    while (!queue_.empty() && queue_.front().settled)
      queue_.pop_front();
  }

  action ask_close() {
    asking_ = true;
    pb::UploadCommand command;
    command.mutable_close()->set_chunks(staging_.chunks());
    command.mutable_close()->set_content_digest(std::string(view(staging_.content())));
    auto bytes = command.SerializeAsString();
    auto hash = with_->trust.payload_hash({"close", bytes});
    return send(derive_id({"close", request_.raw()}), std::move(bytes), hash,
                [this](outcome& result) {
                  asking_ = false;
                  auto why = refusal_of(result);
                  if (!why)
                    accept(std::get<wire::Reply>(result));
                  else if (!is_retryable(why->code))
                    refused(*why);
                  else
                    again_ = may_retry(*why);
                });
  }

  action ask_abandon(const std::string& reason) {
    asking_ = true;
    pb::UploadCommand command;
    command.mutable_abandon()->set_reason(reason);
    auto bytes = command.SerializeAsString();
    auto hash = with_->trust.payload_hash({"abandon", bytes});
    // Whatever the entity says: if it does not hear of it, its timer abandons the upload.
    return send(derive_id({"abandon", request_.raw()}), std::move(bytes), hash,
                [this](outcome&) { asking_ = false; });
  }

  void accept(wire::Reply& reply) {
    http::response out;
    out.status = 202;
    add_place(out, reply.version(), static_cast<shard_id>(reply.shard()), reply.position());
    out.headers.emplace_back("Location", "/v2/uploads/" + entity_.id.str());
    out.body = std::move(*reply.mutable_body());
    verdict_ = std::move(out);
  }

  /// The entity takes no more rows. If the upload of this key was complete already, the file is
  /// another one than the first time.
  void refused(const error& why) {
    if (verdict_)
      return;
    verdict_ = http::problem(why);
    check_status_ = why.code == errc::wrong_status;
  }

  /// Nothing of a file that is refused may wait for an hour as `receiving`. But an upload that is
  /// not this file's, or has ended, is left alone.
  void stage_refused(const error& why) {
    if (!verdict_ && why.code != errc::wrong_status && why.code != errc::idempotency_key_reused)
      abandon_reason_ = why.message;
    refused(why);
  }

  action look() {
    asking_ = true;
    return [self = shared_from_this()] {
      auto deadline = self->with_->time.steady() + step_timeout;
      self->with_->entities.look(self->entity_, deadline, [self](auto result) {
        lock held(self->mutex_);
        self->asking_ = false;
        if (auto* found = std::get_if<entity_view>(&result))
          self->explain(view_fields(*found->json).text("status"));
        self->pump(held);
      });
    };
  }

  void explain(const std::string& status) {
    if (status == "checking" || status == "enrolling" || status == "accepting" ||
        status == "accepted" || status == "rejected" || status == "failed")
      verdict_ =
          http::problem({errc::idempotency_key_reused,
                         "this Idempotency-Key was used for another file: send this one with "
                         "a new key",
                         "Idempotency-Key"});
    else if (status == "abandoned")
      verdict_ = http::problem({errc::wrong_status,
                                "this upload was abandoned: send the file with a new "
                                "Idempotency-Key",
                                {}});
  }

  shared_context with_;
  http::request from_;
  uuid request_;
  entity_ref entity_;
  pb::UploadCommand open_command_;
  staging staging_;                         // session's thread
  std::unique_ptr<register_reader> reader_; // session's thread
  std::uint64_t bytes_ = 0;                 // session's thread
  bool broken_ = false;                     // session's thread

  std::mutex mutex_;
  bool pumping_ = false;
  std::deque<pending> queue_; // in order; from the first chunk that the entity may not have
  std::size_t in_flight_ = 0;
  std::size_t window_ = staging_window;
  bool asking_ = false; // open, close or abandon waits for its reply
  bool open_ = false;
  bool ended_ = false;
  bool again_ = false; // go back to the first unsettled chunk once nothing is in flight
  bool busy_ = false;  // ... after a rest
  bool resting_ = false;
  std::optional<std::chrono::steady_clock::time_point> busy_since_;
  std::string abandon_reason_; // the file's fault, until the entity was told
  bool check_status_ = false;  // the entity's status may explain the verdict better
  std::optional<http::response> verdict_;
  std::function<void(bool)> proceed_;
  std::optional<http::responder> done_;
};

class flow_reader final : public http::body_reader {
public:
  explicit flow_reader(std::shared_ptr<upload_flow> flow) : flow_(std::move(flow)) {}

  void on_bytes(std::string_view piece, std::function<void(bool)> proceed) override {
    flow_->take(piece, std::move(proceed));
  }

  void finish(bool complete, http::responder done) override {
    flow_->finish(complete, std::move(done));
  }

private:
  std::shared_ptr<upload_flow> flow_;
};

class refuser final : public http::body_reader {
public:
  explicit refuser(http::response refusal) : refusal_(std::move(refusal)) {}

  void on_bytes(std::string_view, std::function<void(bool)> proceed) override { proceed(false); }
  void finish(bool, http::responder done) override { done(std::move(refusal_)); }

private:
  http::response refusal_;
};

} // namespace

std::unique_ptr<http::body_reader> upload_reader(shared_context with, http::request from,
                                                 upload_ask ask) {
  return std::make_unique<flow_reader>(
      std::make_shared<upload_flow>(std::move(with), std::move(from), ask));
}

std::unique_ptr<http::body_reader> refusing_reader(http::response refusal) {
  return std::make_unique<refuser>(std::move(refusal));
}

} // namespace rahat::rest
