#include <set>

#include "common/base/error.h"
#include "convert/passes/dilated_pool.h"
#include "convert/passes/einsum.h"
#include "convert/passes/gather_indices.h"
#include "convert/passes/merge_axes.h"
#include "convert/passes/merge_neighbours.h"
#include "convert/passes/passes.h"
#include "convert/passes/pixel_unshuffle.h"
#include "convert/passes/pool_indices.h"
#include "convert/passes/scatter_box.h"
#include "convert/passes/slice_early.h"
#include "convert/passes/triangle.h"
#include "convert/passes/unroll_recurrent.h"
#include "convert/passes/wrap_pads.h"
#include "convert/targets/coreml/emit.h"
#include "convert/targets/coreml/interface.h"
#include "convert/targets/coreml/legalize/rules.h"
#include "convert/targets/coreml/package.h"
#include "convert/targets/target.h"

namespace slipway {
namespace {

using coreml_writer::ChooseSizes;
using coreml_writer::FillType;
using coreml_writer::MilType;
using coreml_writer::Program;
using coreml_writer::SizeChoice;
namespace mil = coreml::mil;

constexpr int32_t kSpecificationVersion = 6;  // iOS 15
constexpr std::string_view kOpset = "CoreML5";

// A feature carries no booleans: they come in and go out as int32.
void CastFeature(Program& program, const std::string& from, const std::string& to, std::string_view dtype,
                 mil::DataType type, const Shape& shape) {
  mil::ValueType value_type;
  FillType(type, shape, value_type);
  program.Operation("cast", {{"x", {from}}, {"dtype", {program.Text(dtype)}}}, {{to, value_type}});
}

class CoremlProgram final : public Target {
 public:
  std::string_view name() const override { return "coreml"; }

  absl::Status Legalize(Graph& graph, const TargetOptions&) const override {
    coreml_writer::Rules rules;
    coreml_writer::AddGemmRules(rules);
    coreml_writer::AddActivationRules(rules);
    coreml_writer::AddElementwiseRules(rules);
    coreml_writer::AddNormalizationRules(rules);
    coreml_writer::AddReshapeRules(rules);
    coreml_writer::AddPoolRules(rules);
    rules.push_back(MakePoolIndicesByComparison());
    rules.push_back(MakeSliceDilatedPool());
    rules.push_back(MakeUnshuffleByConvolution());
    rules.push_back(MakeScatterBoxByConcat());
    rules.push_back(MakeUnrollRecurrent());
    rules.push_back(MakeWrapBySlices());
    rules.push_back(MakeSliceBeforeMove(5));
    rules.push_back(MakeMergeTransposedAxes(5));
    rules.push_back(MakeReduceByRuns(5));
    rules.push_back(MakeMergeNeighbours(5, false));
    rules.push_back(MakeFlattenGatherNd());
    rules.push_back(MakeDecomposeEinsum());
    rules.push_back(MakeTriangleByMask(false));
    rules.push_back(MakeFlattenGatherIndices());
    coreml_writer::AddConvRules(rules);
    coreml_writer::AddResizeRules(rules);
    coreml_writer::AddSelectRules(rules);
    // Rules leave arithmetic on constants behind; folding it can make forms that further rules know.
    for (int round = 0; round < 4; ++round) {
      ASSIGN_OR_RETURN(const bool changed, ApplyRules(graph, rules));
      if (!changed) break;
      RETURN_IF_ERROR(MakeFoldConstants()->Run(graph).status());
    }
    graph.RemoveDead();
    return absl::OkStatus();
  }

  absl::Status Check(const Node& node, const TargetOptions&) const override { return coreml_writer::CheckNode(node); }

  absl::StatusOr<Emitted> Emit(const Graph& graph, const TargetOptions& options,
                               const std::filesystem::path& folder) const override {
    if (options.precision != "fp32") return Unimplemented("the Core ML target writes fp32, not {}", options.precision);
    if (options.deployment != "iOS15")
      return Unimplemented("the Core ML target writes for iOS15, not {}", options.deployment);
    for (const auto* values : {&graph.inputs(), &graph.outputs()}) {
      for (const Value* value : *values) RETURN_IF_ERROR(CheckFeature(*value));
    }
    ASSIGN_OR_RETURN(const auto sizes, ChooseSizes(graph));

    coreml::Model model;
    model.set_specificationversion(kSpecificationVersion);
    mil::Program& proto = *model.mutable_mlprogram();
    proto.set_version(1);
    mil::Function& function = (*proto.mutable_functions())["main"];
    function.set_opset(std::string(kOpset));
    mil::Block& block = (*function.mutable_block_specializations())[std::string(kOpset)];
    coreml_writer::WeightFile weights;
    Program program(block, weights);

    Emitted emitted;
    AddInputs(graph, sizes, program, function, model, emitted.io);
    const std::vector<std::string> outputs = NameOutputs(graph, program);
    for (const auto& node : graph.nodes()) coreml_writer::FindEmitter(node->kind)->emit(*node, program);
    AddOutputs(graph, outputs, program, block, model, emitted.io);

    for (const Value* value : graph.values()) {
      if (!value->constant && value->producer != nullptr && value->origin.known() && IsFloat(value->type)) {
        emitted.values.push_back({program.Name(*value), value->origin, -1});
      }
    }
    emitted.path = options.model_name + ".mlpackage";
    ASSIGN_OR_RETURN(const auto files, coreml_writer::WritePackage(model, weights, folder / emitted.path));
    for (const std::string& file : files) emitted.files.push_back(emitted.path + "/" + file);
    emitted.requires_runtime = "iOS 15";
    return emitted;
  }

 private:
  static absl::Status CheckFeature(const Value& value) {
    if (MilType(value.type) == mil::UNUSED_TYPE)
      return Unimplemented("'{}' is of {}, which a Core ML feature cannot carry", value.name, Name(value.type));
    if (!value.shape) return Unimplemented("the rank of '{}' is not known; give its size with --shape", value.name);
    if (value.rank() > 5)
      return Unimplemented("'{}' has {} axes, a Core ML feature at most 5", value.name, value.rank());
    for (const Dim& size : *value.shape) {
      if (size.IsKnown() && size.value() == 0)
        return Unimplemented("'{}' has no elements, a Core ML feature needs some", value.name);
    }
    return absl::OkStatus();
  }

  static Shape FeatureShape(const Value& value) { return value.shape->empty() ? Shape{Dim(1)} : *value.shape; }

  static void AddInputs(const Graph& graph, const std::map<std::string, SizeChoice>& sizes, Program& program,
                        mil::Function& function, coreml::Model& model, IoSchema& io) {
    for (const Value* input : graph.inputs()) {
      const std::string name = program.Name(*input);
      coreml_writer::DescribeInput(*input, name, sizes, *model.mutable_description()->add_input());
      io.inputs.push_back(coreml_writer::InterfaceOf(*input, name));
      const mil::DataType type = MilType(input->type);
      mil::NamedValueType& parameter = *function.add_inputs();
      parameter.set_name(name);
      FillType(type == mil::BOOL ? mil::INT32 : type, FeatureShape(*input), *parameter.mutable_type());
    }
    // A feature has at least one axis.
    for (const Value* input : graph.inputs()) {
      if (!input->shape->empty()) continue;
      const mil::DataType type = MilType(input->type) == mil::BOOL ? mil::INT32 : MilType(input->type);
      mil::ValueType scalar;
      FillType(type, {}, scalar);
      const std::string feature = program.Name(*input);
      const std::string name = program.Fresh(feature + "_scalar");
      program.Operation("squeeze", {{"x", {feature}}, {"axes", {program.Ints({0})}}}, {{name, scalar}});
      program.Bind(*input, name);
    }
    for (const Value* input : graph.inputs()) {
      if (MilType(input->type) != mil::BOOL) continue;
      const std::string feature = program.Name(*input);
      const std::string flags = program.Fresh(feature + "_bool");
      CastFeature(program, feature, flags, "bool", mil::BOOL, *input->shape);
      program.Bind(*input, flags);
    }
  }

  // An output has its source's name, whatever else happens. What no operation of its own makes (an input, a constant, an output listed
  // twice, a boolean) gets one in AddOutputs.
  static std::vector<std::string> NameOutputs(const Graph& graph, Program& program) {
    std::vector<std::string> names;
    std::set<const Value*> seen;
    for (const Value* output : graph.outputs()) {
      const bool own = output->producer != nullptr && !output->constant && output->type != DataType::kBool &&
                       seen.insert(output).second;
      names.push_back(own ? program.Name(*output) : program.Fresh(coreml_writer::Sanitized(output->name)));
    }
    return names;
  }

  static void AddOutputs(const Graph& graph, const std::vector<std::string>& names, Program& program, mil::Block& block,
                         coreml::Model& model, IoSchema& io) {
    for (size_t i = 0; i < names.size(); ++i) {
      const Value& output = *graph.outputs()[i];
      const std::string value = program.Operand(output);
      if (output.type == DataType::kBool) {
        CastFeature(program, value, names[i], "int32", mil::INT32, *output.shape);
      } else if (value != names[i]) {
        mil::ValueType type;
        FillType(MilType(output.type), *output.shape, type);
        program.Operation("identity", {{"x", {value}}}, {{names[i], type}});
      }
      block.add_outputs(names[i]);
      coreml_writer::DescribeOutput(output, names[i], *model.mutable_description()->add_output());
      io.outputs.push_back(coreml_writer::InterfaceOf(output, names[i]));
    }
  }
};

}  // namespace

const Target& CoremlTarget() {
  static const CoremlProgram target;
  return target;
}

}  // namespace slipway
