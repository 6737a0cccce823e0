// Alone in its file: a program that brings its own, as tests of mixed builds do, is linked without this one.
#include "worker/build_id.h"

#include "worker/pipeline/entry.h"

namespace slipway {

std::string_view BuildId() { return kBuildId; }

}  // namespace slipway
