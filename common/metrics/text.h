// All metrics of this process in Prometheus' text exposition format 0.0.4.
#pragma once

#include <string>

namespace slipway::metrics {

inline constexpr char kContentType[] = "text/plain; version=0.0.4; charset=utf-8";

std::string ExpositionText();

}  // namespace slipway::metrics
