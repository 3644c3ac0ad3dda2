#include "apps/rahatd/measures.hpp"

#include "apps/rahatd/store_metrics.hpp"
#include "runtime/telemetry/entity_metrics.hpp"

#include <prometheus/collectable.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <algorithm>
#include <mutex>
#include <vector>

namespace rahat {

struct measures::impl {
  explicit impl(unsigned writers) : store(make_store_metrics(registry, writers)) {}

  prometheus::Registry registry;
  std::unique_ptr<entity_probe> entities = make_entity_metrics(registry);
  std::unique_ptr<pg::store_probe> store;
  mutable std::mutex mutex;
  std::vector<prometheus::Collectable*> sources;
};

measures::measures(unsigned writers) : impl_(std::make_unique<impl>(writers)) {
  prometheus::BuildGauge()
      .Name("rahat_build_info")
      .Help("Which program this is; always 1")
      .Register(impl_->registry)
      .Add({{"version", RAHAT_VERSION}})
      .Set(1);
}

measures::~measures() = default;

entity_probe& measures::entities() {
  return *impl_->entities;
}

pg::store_probe& measures::store() {
  return *impl_->store;
}

prometheus::Registry& measures::registry() {
  return impl_->registry;
}

void measures::add(prometheus::Collectable& source) {
  std::unique_lock lock{impl_->mutex};
  impl_->sources.push_back(&source);
}

void measures::remove(prometheus::Collectable& source) {
  std::unique_lock lock{impl_->mutex};
  std::erase(impl_->sources, &source);
}

std::string measures::text() const {
  auto families = impl_->registry.Collect();
  {
    std::unique_lock lock{impl_->mutex};
    for (auto* source : impl_->sources)
      for (auto& family : source->Collect())
        families.push_back(std::move(family));
  }
  // Several sources may speak of one family; the text format wants it once.
  std::stable_sort(families.begin(), families.end(),
                   [](auto& a, auto& b) { return a.name < b.name; });
  std::vector<prometheus::MetricFamily> merged;
  for (auto& family : families) {
    if (!merged.empty() && merged.back().name == family.name)
      merged.back().metric.insert(merged.back().metric.end(), family.metric.begin(),
                                  family.metric.end());
    else
      merged.push_back(std::move(family));
  }
  return prometheus::TextSerializer{}.Serialize(merged);
}

} // namespace rahat
