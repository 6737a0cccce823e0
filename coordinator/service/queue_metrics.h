// The queue as metrics. Every coordinator of a farm shows the same: take the maximum, not the sum.
#pragma once

#include "common/queue/queue.h"

namespace slipway {

// Asks Redis and sets the gauges; for each scrape.
void ShowQueue(Queue& queue);

}  // namespace slipway
