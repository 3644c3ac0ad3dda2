#include "persistence/cluster/line.hpp"

#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <algorithm>

namespace rahat::pg {

namespace {

constexpr int reads_of_a_closed_socket = 8; // its last words, then its end

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

std::string words_of(PGconn* connection) {
  const auto text = one_line(PQerrorMessage(connection));
  return text.empty() ? "the connection to the database was lost" : text;
}

std::string field(PGresult* result, int which) {
  const auto* text = PQresultErrorField(result, which);
  return text == nullptr ? std::string{} : std::string{text};
}

bool failed(PGresult* result) {
  const auto status = PQresultStatus(result);
  return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
}

bool ends_connection(std::string_view state) {
  return state.empty() || state.starts_with("08") || state.starts_with("57P0");
}

} // namespace

void line_rows::drop(pg_result* raw) {
  PQclear(raw);
}

int line_rows::size() const {
  return PQntuples(raw_.get());
}

bool line_rows::null(int row, int column) const {
  return PQgetisnull(raw_.get(), row, column) != 0;
}

std::string_view line_rows::raw(int row, int column) const {
  return {PQgetvalue(raw_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(raw_.get(), row, column))};
}

std::int64_t line_rows::number(int row, int column) const {
  const auto bytes = raw(row, column);
  if (bytes.empty())
    return 0;
  // Sign of the first byte, then big endian; a bool is 0 or 1 either way.
  auto value = static_cast<std::int64_t>(static_cast<signed char>(bytes[0]));
  for (std::size_t i = 1; i < bytes.size(); ++i)
    value = static_cast<std::int64_t>(static_cast<std::uint64_t>(value) << 8 |
                                      static_cast<unsigned char>(bytes[i]));
  return value;
}

uuid line_rows::id(int row, int column) const {
  return uuid::from_raw(raw(row, column));
}

std::string line_rows::text(int row, int column) const {
  return std::string{raw(row, column)};
}

line_value line_value::raw(std::string bytes) {
  line_value v{std::move(bytes)};
  v.binary = true;
  return v;
}

struct line::wake {
  wake() : descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (descriptor < 0)
      throw std::runtime_error{"no descriptor is left for a connection to the database"};
  }
  ~wake() { ::close(descriptor); }
  const int descriptor;
};

line::line(std::string conninfo, generation expected, std::vector<statement> prepared,
           const clock& time)
    : conninfo_(std::move(conninfo)),
      expected_(expected),
      prepared_(std::move(prepared)),
      time_(time),
      wake_(std::make_unique<wake>()) {}

line::~line() = default;

void line::cut_off() {
  eventfd_write(wake_->descriptor, 1); // stays readable: nobody reads it
}

void line::wait(bool for_writing, deadline until) {
  pollfd on[2] = {
      {PQsocket(connection_.get()), static_cast<short>(for_writing ? POLLIN | POLLOUT : POLLIN), 0},
      {wake_->descriptor, POLLIN, 0}};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - time_.steady()).count();
    if (left <= 0)
      throw line_lost{"the database did not answer in time"};
    const int ready = ::poll(on, 2, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (on[1].revents != 0)
      throw line_lost{"the node is stopping"};
    if (ready > 0)
      return;
  }
}

void line::connect(deadline until) {
  connection_.reset(PQconnectStart(conninfo_.c_str()), &PQfinish);
  auto* raw = connection_.get();
  if (raw == nullptr || PQstatus(raw) == CONNECTION_BAD)
    throw line_lost{raw == nullptr ? "no memory for a connection" : words_of(raw)};
  for (auto next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK; next = PQconnectPoll(raw)) {
    if (next == PGRES_POLLING_FAILED)
      throw line_lost{words_of(raw)};
    wait(next == PGRES_POLLING_WRITING, until);
  }
  PQsetnonblocking(raw, 1);
  PQsetNoticeProcessor(
      raw, [](void*, const char*) {}, nullptr);
}

/// Sends what is left and collects the last result.
line_rows line::finish(deadline until) {
  auto* raw = connection_.get();
  for (int left = PQflush(raw); left != 0; left = PQflush(raw)) {
    if (left < 0)
      throw line_lost{words_of(raw)};
    wait(true, until);
    if (PQconsumeInput(raw) == 0)
      throw line_lost{words_of(raw)};
  }
  std::shared_ptr<PGresult> last;
  for (;;) {
    while (PQisBusy(raw) != 0) {
      wait(false, until);
      if (PQconsumeInput(raw) == 0)
        throw line_lost{words_of(raw)};
    }
    std::shared_ptr<PGresult> result{PQgetResult(raw), &PQclear};
    if (result == nullptr)
      break;
    if (last == nullptr || !failed(last.get()))
      last = std::move(result);
  }
  if (last == nullptr)
    throw line_lost{words_of(raw)};
  if (failed(last.get())) {
    const auto state = field(last.get(), PG_DIAG_SQLSTATE);
    const auto message = one_line(field(last.get(), PG_DIAG_MESSAGE_PRIMARY));
    if (ends_connection(state) || PQstatus(raw) == CONNECTION_BAD)
      throw line_lost{message.empty() ? words_of(raw) : message};
    throw line_refused{state, message};
  }
  auto* plain = PQcopyResult(last.get(), PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
  return line_rows{plain};
}

void line::require_generation(deadline until) {
  if (PQsendQuery(connection_.get(), generation_query) == 0)
    throw line_lost{words_of(connection_.get())};
  const auto now = finish(until);
  if (now.size() != 1 || now.null(0, 1))
    throw line_lost{"the database is a standby"};
  const auto found = parse_generation(now.text(0, 0), now.text(0, 1));
  if (found != expected_)
    throw line_lost{"the database is generation " + found.str() + ", this node joined " +
                    expected_.str() + ": it was promoted or restored"};
}

/// False when the server has closed it while nobody looked.
bool line::still_open() {
  if (connection_ == nullptr)
    return false;
  auto* raw = connection_.get();
  for (int i = 0; i < reads_of_a_closed_socket && PQstatus(raw) == CONNECTION_OK; ++i) {
    pollfd on{PQsocket(raw), POLLIN, 0};
    if (::poll(&on, 1, 0) <= 0)
      return true;
    PQconsumeInput(raw);
  }
  return PQstatus(raw) == CONNECTION_OK;
}

void line::open(deadline until) {
  if (still_open())
    return;
  connect(until);
  require_generation(until);
  for (const auto& s : prepared_) {
    if (PQsendPrepare(connection_.get(), s.name, s.sql, 0, nullptr) == 0)
      throw line_lost{words_of(connection_.get())};
    finish(until);
  }
}

line_rows line::run(const char* name, const std::vector<line_value>& values, deadline until) {
  std::vector<const char*> bytes;
  std::vector<int> lengths, formats;
  for (const auto& v : values) {
    bytes.push_back(v.bytes.c_str());
    lengths.push_back(static_cast<int>(v.bytes.size()));
    formats.push_back(v.binary ? 1 : 0);
  }
  bool opened = false;
  try {
    open(until);
    opened = true;
    if (PQsendQueryPrepared(connection_.get(), name, static_cast<int>(values.size()), bytes.data(),
                            lengths.data(), formats.data(), 1) == 0)
      throw line_lost{words_of(connection_.get())};
    return finish(until);
  } catch (const line_refused&) {
    if (!opened)
      connection_.reset(); // half prepared
    throw;
  } catch (const std::exception&) {
    connection_.reset();
    throw;
  }
}

} // namespace rahat::pg
