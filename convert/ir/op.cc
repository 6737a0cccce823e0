#include "convert/ir/op.h"

#include <array>
#include <string>

#include "absl/container/flat_hash_map.h"

namespace slipway {
namespace {

constexpr std::array<OpInfo, static_cast<size_t>(OpKind::kCount)> kOps = {{
#define X(kind, min_inputs, max_inputs, outputs) {OpKind::k##kind, #kind, min_inputs, max_inputs, outputs},
    SLIPWAY_OP_TABLE(X)
#undef X
}};

}  // namespace

const OpInfo& Info(OpKind kind) { return kOps[static_cast<size_t>(kind)]; }

const OpInfo* FindOp(std::string_view name) {
  static const auto* const by_name = [] {
    auto* map = new absl::flat_hash_map<std::string, const OpInfo*>;
    for (const OpInfo& op : kOps) map->emplace(std::string(op.name), &op);
    return map;
  }();
  auto found = by_name->find(std::string(name));
  return found == by_name->end() ? nullptr : found->second;
}

}  // namespace slipway
