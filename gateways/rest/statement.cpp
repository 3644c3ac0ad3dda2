#include "gateways/rest/statement.hpp"

#include "gateways/rest/view_fields.hpp"

namespace rahat::rest {

namespace {

/// One request's walk over a vendor's receipts. Shared by the callbacks of its pages, which come
/// one after another.
class walk : public std::enable_shared_from_this<walk> {
public:
  walk(queries& from, const view_fields& settlement, const page_request& bounds,
       http::responder done)
      : from_(from),
        vendor_(uuid::parse(settlement.text("vendor_id")).value_or(uuid{})),
        project_(uuid::parse(settlement.text("project_id")).value_or(uuid{})),
        currency_(settlement.text("currency")),
        first_(settlement.number("first_receipt")),
        last_(settlement.number("last_receipt")),
        limit_(bounds.limit),
        cursor_(bounds.cursor),
        done_(std::move(done)) {}

  void start() {
    if (last_ == 0)
      return done_(page_response({}, {})); // nothing was requested yet
    next_page();
  }

private:
  /// A page that is full looks on for one receipt more: without it there is no next page.
  void next_page() {
    list_query ask;
    ask.kind = "receipt";
    ask.parent = vendor_;
    ask.project = project_;
    ask.cursor = cursor_;
    ask.limit = full() ? limit_ : limit_ - static_cast<std::uint32_t>(found_.size());
    from_.list(std::move(ask), [self = shared_from_this()](std::variant<page, error> outcome) {
      if (auto* why = std::get_if<error>(&outcome))
        return self->done_(http::problem(*why));
      self->take(std::move(std::get<page>(outcome)));
    });
  }

  bool full() const { return found_.size() >= limit_; }

  void take(page receipts) {
    auto looking_on = full();
    cursor_ = std::move(receipts.next);
    for (auto& json : receipts.items) {
      view_fields receipt(json);
      if (receipt.text("currency") != currency_)
        continue;
      auto no = receipt.number("no");
      if (no < first_)
        cursor_.clear(); // newest first: all that follow are older still
      else if (no <= last_ && looking_on)
        return done_(page_response(found_, resume_)); // there is one more
      else if (no <= last_)
        found_.push_back(std::move(json));
    }
    if (!looking_on)
      resume_ = cursor_;
    if (cursor_.empty())
      return done_(page_response(found_, {}));
    if (++pages_ == max_statement_pages)
      return done_(page_response(found_, full() ? resume_ : cursor_));
    next_page();
  }

  queries& from_;
  uuid vendor_;
  uuid project_;
  std::string currency_;
  std::int64_t first_;
  std::int64_t last_;
  std::uint32_t limit_;
  std::string cursor_; // what is read next
  std::string resume_; // where the page that is shown ends
  http::responder done_;
  std::vector<std::string> found_;
  int pages_ = 0;
};

} // namespace

std::string receipt_schema() {
  return object_schema({{"id", "id"},
                        {"no", "int"},
                        {"vendor_id", "id"},
                        {"project_id", "id"},
                        {"batch_id", "id?"},
                        {"member_id", "id?"},
                        {"amount_minor", "money"},
                        {"currency", "currency"},
                        {"held", "bool"},
                        {"at", "time?"}});
}

http::route statement_route(const entity_resource& settlements) {
  http::route row;
  row.pattern = settlements.path() + "/{id}/statement";
  row.tag = settlements.tag();
  row.summary = "The receipts that this settlement pays for, newest first";
  row.response_schema = list_schema(receipt_schema());
  row.query = list_parameters();
  row.handle = [settlements](http::request from, http::responder done) {
    auto bounds = page_of(from);
    if (auto* wrong = std::get_if<error>(&bounds))
      return done(http::problem(*wrong));
    with_view(
        settlements, from, done,
        [with = settlements.context(), page = std::get<page_request>(bounds),
         done](entity_view found) {
          std::make_shared<walk>(with->queries, view_fields(*found.json), page, done)->start();
        });
  };
  return row;
}

} // namespace rahat::rest
