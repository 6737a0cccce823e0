// Per-layer figures: where an artifact leaves its source.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "convert/parity/parity.h"

namespace slipway {

// Inner tensors by name; those that a group of them cannot show are asked for one by one, those that cannot be shown are left out.
std::map<std::string, Tensor> FetchTensors(Session& session, const NamedTensors& inputs,
                                           const std::vector<std::string>& names);

// Compares every inner tensor that both sides show on the reference's first sample. They explain figures and decide nothing: whatever cannot be
// fetched is left out.
std::vector<LayerFigures> CompareLayers(HostProvider& hosts, const JudgeRequest& request,
                                        const std::string& configuration, const ReferenceBundle& reference);

}  // namespace slipway
