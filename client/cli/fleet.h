// Workers and the queue as the verbs print them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "proto/slipway/v1/fleet.pb.h"

namespace slipway::cli {

nlohmann::ordered_json ToJson(const v1::Worker& worker);
std::vector<std::string> WorkerTitles();
std::vector<std::string> Row(const v1::Worker& worker);

nlohmann::ordered_json ToJson(const v1::GetQueueResponse& queue);
// "queue: 120 open, 100 ready, 3 running, 0 delayed, 17 blocked; oldest ready 12 s"
// and, if so, "; no worker offers litert: 3 tasks wait" or what else Unserved says (waiting.h).
std::string Line(const v1::GetQueueResponse& queue, std::span<const v1::Worker> workers);
// A table of the classes that have ready tasks, with its titles.
std::vector<std::vector<std::string>> ClassRows(const v1::GetQueueResponse& queue);

}  // namespace slipway::cli
