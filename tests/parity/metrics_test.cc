// Metrics by closed form, and every limit of the gates just inside and just outside.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "convert/parity/parity.h"

namespace slipway {
namespace {

Tensor Floats(const std::vector<float>& values) { return Tensor::Float32s(values); }

TEST(MetricsTest, ClosedForms) {
  // Errors 0, 0.5, -1, 0 over a reference whose largest element is 4.
  const auto metrics = Compare({Floats({1, -2, 4, 0})}, {Floats({1, -1.5, 3, 0})});
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  EXPECT_DOUBLE_EQ(metrics->l_inf, 1);
  EXPECT_DOUBLE_EQ(metrics->l_inf_scaled, 0.25);
  EXPECT_DOUBLE_EQ(metrics->p999, 1);
  EXPECT_DOUBLE_EQ(metrics->mean_abs, 0.375);
  EXPECT_DOUBLE_EQ(metrics->rmse, std::sqrt(1.25 / 4));
  EXPECT_DOUBLE_EQ(metrics->cosine, (1 + 3 + 12) / std::sqrt(21 * 12.25));
  EXPECT_DOUBLE_EQ(metrics->snr_db, 10 * std::log10(21 / 1.25));
  EXPECT_DOUBLE_EQ(metrics->agreement, 1);  // the third element is the largest in both
  EXPECT_EQ(metrics->elements, 4);
  EXPECT_TRUE(metrics->finite);
}

TEST(MetricsTest, SamplesCountTogetherAndElementsAreOfTheLargest) {
  const auto metrics = Compare({Floats({8}), Floats({1, 1})}, {Floats({8}), Floats({1, 0})});
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  EXPECT_DOUBLE_EQ(metrics->l_inf_scaled, 1.0 / 8);
  EXPECT_DOUBLE_EQ(metrics->mean_abs, 1.0 / 3);
  EXPECT_EQ(metrics->elements, 2);
}

TEST(MetricsTest, EqualTensorsHaveInfiniteSnr) {
  const auto metrics = Compare({Floats({1, 2})}, {Floats({1, 2})});
  ASSERT_TRUE(metrics.ok());
  EXPECT_EQ(metrics->snr_db, std::numeric_limits<double>::infinity());
  EXPECT_DOUBLE_EQ(metrics->cosine, 1);
}

TEST(MetricsTest, AReferenceOfZerosScalesByOne) {
  const auto metrics = Compare({Floats({0, 0})}, {Floats({0.25, 0})});
  ASSERT_TRUE(metrics.ok());
  EXPECT_DOUBLE_EQ(metrics->l_inf_scaled, 0.25);
  EXPECT_EQ(metrics->snr_db, -std::numeric_limits<double>::infinity());
}

TEST(MetricsTest, TheLargestOfAThousandMayPassThe999thPerMille) {
  std::vector<float> reference(20000, 1.0f), actual(20000, 1.0f);
  for (int i = 0; i < 20; ++i) actual[static_cast<size_t>(i) * 7] = 3.0f;  // 0.1 %
  actual[1] = 1.5f;
  const auto metrics = Compare({Floats(reference)}, {Floats(actual)});
  ASSERT_TRUE(metrics.ok());
  EXPECT_DOUBLE_EQ(metrics->l_inf, 2);
  EXPECT_DOUBLE_EQ(metrics->p999, 0.5);
}

TEST(MetricsTest, IntegersAgreeElementByElement) {
  const auto metrics = Compare({Tensor::Int64s({1, 2, 3, 4})}, {Tensor::Int64s({1, 2, 0, 4})});
  ASSERT_TRUE(metrics.ok());
  EXPECT_DOUBLE_EQ(metrics->agreement, 0.75);
}

TEST(MetricsTest, Top1AgreesRowByRow) {
  const Tensor reference = Floats({0, 1, 1, 0}).Reshaped({2, 2});
  const Tensor actual = Floats({0, 1, 0, 1}).Reshaped({2, 2});
  EXPECT_DOUBLE_EQ(Compare({reference}, {actual})->agreement, 0.5);
}

TEST(MetricsTest, NanAndInfinityAreNotFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(Compare({Floats({1, 2})}, {Floats({1, nan})})->finite);
  EXPECT_FALSE(Compare({Floats({1, 2})}, {Floats({infinity, 2})})->finite);
  EXPECT_TRUE(std::isnan(Compare({Floats({1, 2})}, {Floats({1, nan})})->l_inf));  // not the 0 of the other element
  EXPECT_FALSE(Compare({Floats({1, infinity})}, {Floats({1, infinity})})->finite);
}

TEST(MetricsTest, OtherShapesAreNotCompared) {
  EXPECT_FALSE(Compare({Floats({1, 2})}, {Floats({1, 2, 3})}).ok());
  EXPECT_FALSE(Compare({Floats({1, 2})}, {}).ok());
}

struct GateCase {
  std::string target, precision;
  OutputRole role;
  double Metrics::*figure;
  double inside, outside;
};

TEST(GateTest, EveryLimitOfTheTable) {
  constexpr auto kRaw = OutputRole::kRaw;
  constexpr auto kBefore = OutputRole::kBeforeActivation;
  constexpr auto kProbability = OutputRole::kProbability;
  std::vector<GateCase> cases;
  for (const char* target : {"onnx", "coreml"}) {
    cases.push_back({target, "fp32", kRaw, &Metrics::l_inf_scaled, 5e-5, 5.01e-5});
    cases.push_back({target, "fp32", kBefore, &Metrics::l_inf_scaled, 5e-5, 5.01e-5});
    cases.push_back({target, "fp32", kProbability, &Metrics::l_inf, 0.99e-5, 1e-5});
    cases.push_back({target, "fp32", kProbability, &Metrics::mean_abs, 0.99e-6, 1e-6});
  }
  for (const char* target : {"tflite", "ncnn"}) {
    cases.push_back({target, "fp32", kRaw, &Metrics::l_inf_scaled, 1e-4, 1.01e-4});
    cases.push_back({target, "fp32", kBefore, &Metrics::l_inf_scaled, 1e-4, 1.01e-4});
    cases.push_back({target, "fp32", kProbability, &Metrics::l_inf, 0.99e-4, 1e-4});
  }
  for (const char* precision : {"fp16", "int16x8"}) {
    cases.push_back({"tflite", precision, kRaw, &Metrics::snr_db, 35, 34.9});
    cases.push_back({"tflite", precision, kProbability, &Metrics::l_inf, 0.99e-2, 1e-2});
    cases.push_back({"tflite", precision, kProbability, &Metrics::rmse, 0.99e-3, 1e-3});
  }
  for (const char* precision : {"int8", "int8-weight", "int8-dynamic", "mixed"}) {
    cases.push_back({"onnx", precision, kRaw, &Metrics::snr_db, 20, 19.9});
    cases.push_back({"onnx", precision, kProbability, &Metrics::l_inf, 4.9e-2, 5e-2});
    cases.push_back({"onnx", precision, kProbability, &Metrics::rmse, 4.9e-3, 5e-3});
  }
  cases.push_back({"ncnn", "fp32", OutputRole::kInteger, &Metrics::agreement, 1, 0.999});
  for (const GateCase& entry : cases) {
    SCOPED_TRACE(entry.target + " " + entry.precision + " " + std::to_string(static_cast<int>(entry.role)));
    const Gate gate = GateFor(entry.target, entry.precision, entry.role);
    Metrics metrics;
    metrics.snr_db = 100;
    metrics.agreement = 1;
    metrics.elements = 1;
    const auto with = [&](double figure) {
      Metrics changed = metrics;
      changed.*entry.figure = figure;
      // A scaled error comes with an absolute one, here over a reference of 1.
      if (entry.figure == &Metrics::l_inf_scaled) changed.l_inf = figure;
      if (entry.figure == &Metrics::l_inf) changed.l_inf_scaled = figure;
      return changed;
    };
    std::string reason;
    EXPECT_TRUE(gate.Holds(with(entry.inside), &reason)) << reason;
    EXPECT_FALSE(gate.Holds(with(entry.outside), &reason));
    EXPECT_FALSE(reason.empty());
  }
}

TEST(GateTest, ManyElementsAreHeldToTheirPercentile) {
  Metrics metrics;
  metrics.l_inf = 1e-3;
  metrics.l_inf_scaled = 1e-3;
  metrics.p999 = 1e-6;
  metrics.elements = 10000;
  EXPECT_FALSE(GateFor("onnx", "fp32", OutputRole::kRaw).Holds(metrics));
  EXPECT_FALSE(GateFor("onnx", "fp32", OutputRole::kProbability).Holds(metrics));
  metrics.elements = 10001;
  EXPECT_TRUE(GateFor("onnx", "fp32", OutputRole::kRaw).Holds(metrics));
  EXPECT_TRUE(GateFor("onnx", "fp32", OutputRole::kProbability).Holds(metrics));
  metrics.p999 = 1e-4;
  EXPECT_FALSE(GateFor("onnx", "fp32", OutputRole::kRaw).Holds(metrics));
}

TEST(GateTest, NothingPassesWithoutFiniteNumbers) {
  Metrics metrics;
  metrics.finite = false;
  metrics.snr_db = 100;
  metrics.agreement = 1;
  for (const OutputRole role : {OutputRole::kRaw, OutputRole::kProbability, OutputRole::kInteger}) {
    EXPECT_FALSE(GateFor("onnx", "int8", role).Holds(metrics));
  }
}

TEST(GateTest, AToleranceTakesThePlaceOfTheTable) {
  Metrics metrics;
  metrics.l_inf = metrics.l_inf_scaled = 1e-3;
  metrics.snr_db = 1;
  EXPECT_TRUE(GateFor("onnx", "fp32", OutputRole::kRaw, 1e-3).Holds(metrics));
  EXPECT_FALSE(GateFor("onnx", "fp16", OutputRole::kRaw, 0.9e-3).Holds(metrics));
  EXPECT_TRUE(GateFor("onnx", "fp32", OutputRole::kProbability, 1.1e-3).Holds(metrics));
}

}  // namespace
}  // namespace slipway
