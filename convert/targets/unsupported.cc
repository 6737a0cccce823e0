#include "common/base/error.h"
#include "convert/targets/target.h"

namespace slipway {

absl::Status Unsupported(const Node& node, std::string_view reason, std::string_view hint) {
  if (hint.empty()) return Unimplemented("{}: {}", Describe(node), reason);
  return Unimplemented("{}: {}; {}", Describe(node), reason, hint);
}

}  // namespace slipway
