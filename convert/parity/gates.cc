#include <fmt/format.h>

#include "convert/parity/parity.h"

namespace slipway {
namespace {

constexpr int64_t kManyElements = 10000;

bool IsHalf(std::string_view precision) { return precision == "fp16" || precision == "int16x8"; }

Gate Float32Gate(std::string_view target, OutputRole role) {
  const bool tight = target == "onnx" || target.starts_with("coreml");
  Gate gate;
  if (role != OutputRole::kProbability) {
    gate.l_inf_scaled = tight ? 5e-5 : 1e-4;
    return gate;
  }
  gate.l_inf = tight ? 1e-5 : 1e-4;
  if (tight) gate.mean_abs = 1e-6;
  return gate;
}

}  // namespace

std::string_view Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPassed:
      return "passed";
    case Verdict::kFailed:
      return "failed";
    case Verdict::kNotDiscriminating:
      return "not_discriminating";
    case Verdict::kNotRun:
      return "not_run";
  }
  return "";
}

Gate GateFor(std::string_view target, std::string_view precision, OutputRole role, std::optional<double> tolerance) {
  Gate gate;
  if (role == OutputRole::kInteger) {
    if (precision == "fp32") gate.agreement = 1;
    return gate;
  }
  if (tolerance) {
    (role == OutputRole::kProbability ? gate.l_inf : gate.l_inf_scaled) = tolerance;
    return gate;
  }
  if (precision == "fp32") return Float32Gate(target, role);
  if (role == OutputRole::kProbability) {
    gate.l_inf = IsHalf(precision) ? 1e-2 : 5e-2;
    gate.rmse = IsHalf(precision) ? 1e-3 : 5e-3;
  } else {
    gate.snr_db = IsHalf(precision) ? 35 : 20;
  }
  return gate;
}

bool Gate::Holds(const Metrics& metrics, std::string* reason) const {
  const auto fail = [&](std::string text) {
    if (reason != nullptr) *reason = std::move(text);
    return false;
  };
  if (!metrics.finite) return fail("a NaN or an infinity");
  const bool many = metrics.elements > kManyElements;
  const double peak = many ? metrics.p999 : metrics.l_inf;
  const double scale = metrics.l_inf > 0 ? metrics.l_inf_scaled / metrics.l_inf : 1;  // 1 / the reference's largest
  const std::string_view which = many ? "99.9th percentile of the " : "";
  // Negated, so that a NaN figure fails.
  if (l_inf_scaled && !(peak * scale <= *l_inf_scaled)) {
    return fail(fmt::format("{}scaled error {:.3g} > {:g}", which, peak * scale, *l_inf_scaled));
  }
  if (l_inf && !(peak < *l_inf)) return fail(fmt::format("{}absolute error {:.3g} >= {:g}", which, peak, *l_inf));
  if (mean_abs && !(metrics.mean_abs < *mean_abs)) {
    return fail(fmt::format("mean error {:.3g} >= {:g}", metrics.mean_abs, *mean_abs));
  }
  if (rmse && !(metrics.rmse < *rmse)) return fail(fmt::format("RMSE {:.3g} >= {:g}", metrics.rmse, *rmse));
  if (snr_db && !(metrics.snr_db >= *snr_db)) {
    return fail(fmt::format("SNR {:.1f} dB < {:g} dB", metrics.snr_db, *snr_db));
  }
  if (agreement && !(metrics.agreement >= *agreement)) {
    return fail(fmt::format("{:.4g} of the elements agree, {:g} should", metrics.agreement, *agreement));
  }
  return true;
}

}  // namespace slipway
