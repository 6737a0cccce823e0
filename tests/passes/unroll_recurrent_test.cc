#include "convert/passes/unroll_recurrent.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

// The op over five steps of a batch, its results those of `read`.
int Unrolled(OpKind kind, const std::string& direction, bool states, const std::vector<size_t>& read,
             const Attrs& attributes = {}) {
  const int64_t gates = kind == kLSTM ? 4 : kind == kGRU ? 3 : 1, ways = direction == "bidirectional" ? 2 : 1;
  const int64_t hidden = 3, features = 4;
  GraphMaker make;
  std::vector<Value*> inputs = {make.In({5, Dim::Symbol("N"), features}), make.Random({ways, gates * hidden, features}),
                                make.Random({ways, gates * hidden, hidden}), make.Random({ways, 2 * gates * hidden})};
  if (states) {
    inputs.push_back(nullptr);
    inputs.push_back(make.In({ways, Dim::Symbol("N"), hidden}));
    if (kind == kLSTM) inputs.push_back(make.In({ways, Dim::Symbol("N"), hidden}));
  }
  const auto results =
      make.Ops(kind, inputs, kind == kLSTM ? 3 : 2, attributes.Int("hidden_size", hidden).Text("direction", direction));
  for (const size_t i : read) make.Out(results[i]);
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeUnrollRecurrent());
  const auto after = ExpectSameAfter(
      [&](Graph& graph) {
        RETURN_IF_ERROR(ApplyRules(graph, rules).status());
        return MakeRemoveDead()->Run(graph).status();
      },
      *make.graph, {{"N", 2}});
  return CountKind(*after, kind);
}

TEST(UnrollRecurrent, EveryKindAndDirection) {
  for (const OpKind kind : {kLSTM, kGRU, kRNN}) {
    for (const char* direction : {"forward", "reverse", "bidirectional"}) {
      for (const bool states : {false, true}) {
        SCOPED_TRACE(::testing::Message() << Name(kind) << direction << states);
        EXPECT_EQ(Unrolled(kind, direction, states, {0, 1}), 0);
      }
    }
  }
  EXPECT_EQ(Unrolled(kLSTM, "bidirectional", true, {1, 2}), 0);
}

TEST(UnrollRecurrent, ResetAfterTheProduct) {
  for (const bool states : {false, true})
    EXPECT_EQ(Unrolled(kGRU, "forward", states, {0, 1}, Attrs().Int("linear_before_reset", 1)), 0);
}

TEST(UnrollRecurrent, ActivationsByName) {
  EXPECT_EQ(Unrolled(kRNN, "forward", true, {0}, Attrs().Set("activations", std::vector<std::string>{"Relu"})), 0);
  EXPECT_EQ(Unrolled(kRNN, "forward", true, {0}, Attrs().Set("activations", std::vector<std::string>{"Softsign"})), 1);
}

TEST(UnrollRecurrent, WeightsThatEveryStepRepeatsAreBounded) {
  for (const int64_t most : {5 * 4 * 3 * 3, 5 * 4 * 3 * 3 - 1}) {
    GraphMaker make;
    make.Out(make.Ops(kLSTM, {make.In({5, 1, 4}), make.Random({1, 12, 4}), make.Random({1, 12, 3})}, 3,
                      Attrs().Int("hidden_size", 3))[0]);
    std::vector<std::unique_ptr<Rule>> rules;
    rules.push_back(MakeUnrollRecurrent(most));
    EXPECT_EQ(*ApplyRules(*make.graph, rules), most == 5 * 4 * 3 * 3);
  }
}

}  // namespace
}  // namespace slipway::testing
