#include <map>
#include <utility>

#include "convert/ir/graph.h"

namespace slipway {
namespace {

template <typename T>
const T* Get(const std::map<std::string, AttributeValue, std::less<>>& values, std::string_view name) {
  auto found = values.find(name);
  return found == values.end() ? nullptr : std::get_if<T>(&found->second);
}

}  // namespace

int64_t Attributes::Int(std::string_view name, int64_t fallback) const {
  const auto* value = Get<int64_t>(values_, name);
  return value != nullptr ? *value : fallback;
}

float Attributes::Float(std::string_view name, float fallback) const {
  const auto* value = Get<float>(values_, name);
  return value != nullptr ? *value : fallback;
}

std::string Attributes::String(std::string_view name, std::string_view fallback) const {
  const auto* value = Get<std::string>(values_, name);
  return value != nullptr ? *value : std::string(fallback);
}

std::vector<int64_t> Attributes::Ints(std::string_view name, std::vector<int64_t> fallback) const {
  const auto* value = Get<std::vector<int64_t>>(values_, name);
  return value != nullptr ? *value : std::move(fallback);
}

std::vector<float> Attributes::Floats(std::string_view name, std::vector<float> fallback) const {
  const auto* value = Get<std::vector<float>>(values_, name);
  return value != nullptr ? *value : std::move(fallback);
}

const Tensor* Attributes::TensorOf(std::string_view name) const { return Get<Tensor>(values_, name); }

Graph* Attributes::Subgraph(std::string_view name) const {
  const auto* value = Get<std::shared_ptr<Graph>>(values_, name);
  return value != nullptr ? value->get() : nullptr;
}

void Attributes::Erase(std::string_view name) {
  auto found = values_.find(name);
  if (found != values_.end()) values_.erase(found);
}

}  // namespace slipway
