// Targets × precisions × deployments: tables only. (Which operators a target has is asked of its Check().)
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace slipway {

struct TargetInfo {
  std::string_view name;       // "onnx", "tflite", "coreml", "ncnn"
  std::string_view backend;    // manifest's `backend`: "onnx", "tflite", "mlprogram", "ncnn"
  std::string_view judge;      // "onnxruntime", "litert", "coreml-interpreter", "ncnn"
  std::string_view main_file;  // "{model}.onnx", "{model}.tflite", "{model}.mlpackage", "{model}.param"
};

std::span<const TargetInfo> Targets();
const TargetInfo* FindTarget(std::string_view name);

// Every precision's name in the contract's order, whether or not a target can do it yet.
std::span<const std::string_view> Precisions();
bool IsPrecision(std::string_view name);

// Whether the pair can be made. `reason` (if not null) receives a line for the user when it cannot.
bool CanExport(std::string_view target, std::string_view precision, std::string* reason = nullptr);

}  // namespace slipway
