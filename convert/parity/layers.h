// Per-layer figures: where an artifact leaves its source.
#pragma once

#include <string>
#include <vector>

#include "convert/parity/parity.h"

namespace slipway {

// Compares every inner tensor that both sides show on the reference's first sample. They explain figures and decide nothing: whatever cannot be
// fetched is left out.
std::vector<LayerFigures> CompareLayers(HostProvider& hosts, const JudgeRequest& request,
                                        const std::string& configuration, const ReferenceBundle& reference);

}  // namespace slipway
