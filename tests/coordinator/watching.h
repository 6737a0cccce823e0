// A Watch call of a test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>

#include "common/rpc/status.h"
#include "proto/slipway/v1/export.grpc.pb.h"

namespace slipway {

// One Watch call, read step by step.
class Watching {
 public:
  Watching(v1::ExportService::Stub& stub, const std::string& id, uint64_t cursor) {
    v1::WatchRequest request;
    request.set_request_id(id);
    request.set_cursor(cursor);
    stream_ = stub.Watch(&context, request);
  }
  // Reads until `done`; false when the stream ended first. Cells are kept by index, the latest of each.
  template <typename Done>
  bool ReadUntil(Done done) {
    while (!done()) {
      v1::WatchResponse response;
      if (!stream_->Read(&response)) return false;
      messages += 1;
      largest = std::max(largest, response.cells_size());
      told += response.cells_size();
      for (const v1::Cell& cell : response.cells()) {
        EXPECT_GT(cell.version(), cells[cell.index()].version());
        cells[cell.index()] = cell;
      }
      EXPECT_GE(response.cursor(), cursor);
      cursor = response.cursor();
      last = response;
    }
    return true;
  }
  absl::Status Finish() { return FromGrpc(stream_->Finish(), context); }

  grpc::ClientContext context;
  std::map<uint32_t, v1::Cell> cells;
  uint64_t cursor = 0;
  int messages = 0, told = 0;
  int largest = 0;  // cells of one message
  v1::WatchResponse last;

 private:
  std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> stream_;
};

}  // namespace slipway
