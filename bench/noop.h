// Requests of tasks that convert nothing, so that only the farm is measured.
#pragma once

#include <string>

#include "common/base/random.h"
#include "proto/slipway/v1/export.pb.h"

namespace slipway {

// One cell for each of `cells` models, whose names begin with `name`; with a key of its own.
inline v1::SubmitRequest NoopRequest(int cells, const std::string& name = "") {
  v1::SubmitRequest request;
  request.set_idempotency_key(RandomHex(16));
  for (int i = 0; i < cells; ++i) {
    v1::ModelSpec* model = request.add_models();
    model->set_name(name + std::to_string(i));
    model->set_kind(v1::SOURCE_KIND_NOOP);
  }
  v1::Pair* pair = request.add_pairs();
  pair->set_target("onnx");
  pair->set_precision("fp32");
  request.mutable_options()->set_no_verify(true);
  return request;
}

}  // namespace slipway
