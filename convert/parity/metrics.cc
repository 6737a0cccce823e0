#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/error.h"
#include "convert/parity/parity.h"

namespace slipway {
namespace {

// Rows along the last axis whose largest elements stand at the same place; a scalar is a row of one.
void CountTop1(const std::vector<double>& reference, const std::vector<double>& actual, int64_t row, int64_t& equal,
               int64_t& rows) {
  for (size_t at = 0; row > 0 && at < reference.size(); at += static_cast<size_t>(row)) {
    const auto end = static_cast<int64_t>(at) + row;
    const auto best = [&](const std::vector<double>& values) {
      return std::max_element(values.begin() + static_cast<int64_t>(at), values.begin() + end) - values.begin();
    };
    equal += best(reference) == best(actual) ? 1 : 0;
    ++rows;
  }
}

}  // namespace

absl::StatusOr<Metrics> Compare(const std::vector<Tensor>& reference, const std::vector<Tensor>& actual) {
  if (reference.size() != actual.size()) {
    return InvalidArgument("{} tensors against {} of the reference", actual.size(), reference.size());
  }
  Metrics metrics;
  std::vector<double> errors;
  double largest = 0, sum_error = 0, sum_square = 0, signal = 0, actual_signal = 0, product = 0;
  int64_t equal = 0, judged = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    if (reference[i].shape() != actual[i].shape()) {
      return InvalidArgument("shape {} where the reference has {}", ToString(actual[i].shape()),
                             ToString(reference[i].shape()));
    }
    const bool is_float = IsFloat(reference[i].type());
    const std::vector<double> r = reference[i].ToDoubles();
    const std::vector<double> a = actual[i].ToDoubles();
    if (r.size() != a.size())
      return InvalidArgument("{} is not compared with {}", Name(actual[i].type()), Name(reference[i].type()));
    metrics.elements = std::max<int64_t>(metrics.elements, static_cast<int64_t>(r.size()));
    for (size_t k = 0; k < r.size(); ++k) {
      if (!std::isfinite(r[k]) || !std::isfinite(a[k])) {
        metrics.finite = false;
        continue;
      }
      const double error = std::abs(a[k] - r[k]);
      errors.push_back(error);
      largest = std::max(largest, std::abs(r[k]));
      sum_error += error;
      sum_square += error * error;
      signal += r[k] * r[k];
      actual_signal += a[k] * a[k];
      product += r[k] * a[k];
      if (!is_float) {
        equal += r[k] == a[k] ? 1 : 0;
        ++judged;
      }
    }
    if (is_float && !r.empty())
      CountTop1(r, a, r.empty() || reference[i].rank() == 0 ? 1 : reference[i].shape().back(), equal, judged);
  }
  metrics.agreement = judged == 0 ? 1 : static_cast<double>(equal) / static_cast<double>(judged);
  if (!metrics.finite) {  // an error without a size: unknown figures, never small ones
    metrics.l_inf = metrics.l_inf_scaled = metrics.p999 = metrics.mean_abs = metrics.rmse = metrics.cosine =
        metrics.snr_db = std::numeric_limits<double>::quiet_NaN();
    return metrics;
  }
  if (errors.empty()) {
    metrics.cosine = 1;
    metrics.snr_db = std::numeric_limits<double>::infinity();
    return metrics;
  }
  const double count = static_cast<double>(errors.size());
  metrics.l_inf = *std::ranges::max_element(errors);
  metrics.l_inf_scaled = metrics.l_inf / (largest > 0 ? largest : 1);
  metrics.mean_abs = sum_error / count;
  metrics.rmse = std::sqrt(sum_square / count);
  metrics.cosine =
      signal > 0 && actual_signal > 0 ? product / std::sqrt(signal * actual_signal) : (signal == actual_signal ? 1 : 0);
  metrics.snr_db = sum_square == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(signal / sum_square);
  // The smallest error that 99.9 % of the elements do not pass.
  const auto rank = static_cast<size_t>(std::ceil(count * 0.999)) - 1;
  std::nth_element(errors.begin(), errors.begin() + static_cast<int64_t>(rank), errors.end());
  metrics.p999 = errors[rank];
  return metrics;
}

}  // namespace slipway
