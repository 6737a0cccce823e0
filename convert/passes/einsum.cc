#include "convert/passes/einsum.h"

#include <algorithm>
#include <map>
#include <string>

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway {
namespace {

struct Equation {
  std::vector<std::string> terms;
  std::string result;
};

bool HasRepeats(const std::string& letters) {
  for (size_t i = 0; i < letters.size(); ++i) {
    if (letters.find(letters[i], i + 1) != std::string::npos) return true;
  }
  return false;
}

// nullopt for what is not handled: an ellipsis, a diagonal.
std::optional<Equation> Parse(std::string text) {
  std::erase(text, ' ');
  if (text.find('.') != std::string::npos) return std::nullopt;
  Equation equation;
  const size_t arrow = text.find("->");
  std::string left = text.substr(0, arrow);
  for (size_t comma; (comma = left.find(',')) != std::string::npos; left.erase(0, comma + 1))
    equation.terms.push_back(left.substr(0, comma));
  equation.terms.push_back(left);
  if (arrow != std::string::npos) {
    equation.result = text.substr(arrow + 2);
  } else {
    // Implied: the letters that occur once, in alphabetical order.
    std::map<char, int> count;
    for (const std::string& term : equation.terms) {
      for (const char letter : term) ++count[letter];
    }
    for (const auto& [letter, times] : count) {
      if (times == 1) equation.result += letter;
    }
  }
  for (const std::string& term : equation.terms) {
    if (HasRepeats(term)) return std::nullopt;
  }
  return HasRepeats(equation.result) ? std::nullopt : std::optional(equation);
}

bool Has(const std::string& letters, char letter) { return letters.find(letter) != std::string::npos; }

class DecomposeEinsum final : public Rule {
 public:
  std::string_view name() const override { return "decompose-einsum"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& einsum) const override {
    const std::optional<Equation> equation = Parse(einsum.attributes.String("equation", ""));
    if (!equation || equation->terms.size() != einsum.inputs.size() || einsum.inputs.size() > 2 ||
        !IsFloat(einsum.input(0)->type))
      return false;
    std::map<char, Dim> sizes;
    for (size_t i = 0; i < einsum.inputs.size(); ++i) {
      const Value* operand = einsum.input(i);
      const std::string& term = equation->terms[i];
      if (!operand->shape || operand->shape->size() != term.size()) return false;
      for (size_t axis = 0; axis < term.size(); ++axis) {
        const auto [known, added] = sizes.emplace(term[axis], (*operand->shape)[axis]);
        // Sizes of 1 that broadcast, or sizes that may differ.
        if (!added && !(known->second == (*operand->shape)[axis])) return false;
      }
    }
    const std::string& result = equation->result;
    for (const char letter : result) {
      if (!sizes.contains(letter)) return false;
    }
    Writer to{graph, einsum, sizes, absl::OkStatus()};
    std::vector<std::string> terms = equation->terms;
    std::vector<Value*> operands = einsum.inputs;
    // Letters of one operand alone that are no result's are summed at once.
    for (size_t i = 0; i < operands.size(); ++i) {
      std::string kept;
      std::vector<int64_t> axes;
      for (size_t axis = 0; axis < terms[i].size(); ++axis) {
        const bool elsewhere = operands.size() == 2 && Has(terms[1 - i], terms[i][axis]);
        if (Has(result, terms[i][axis]) || elsewhere)
          kept += terms[i][axis];
        else
          axes.push_back(static_cast<int64_t>(axis));
      }
      if (!axes.empty()) operands[i] = to.Sum(operands[i], axes);
      terms[i] = kept;
    }
    if (operands.size() == 1) {
      Value* moved = to.Move(operands[0], terms[0], result);
      RETURN_IF_ERROR(to.failure);
      RETURN_IF_ERROR(Rewrite(graph, einsum, OpKind::kIdentity, {moved}, {}));
      return true;
    }
    std::string batch, inner, rows, columns;
    for (const char letter : terms[0]) {
      if (!Has(terms[1], letter)) {
        rows += letter;
      } else {
        (Has(result, letter) ? batch : inner) += letter;
      }
    }
    for (const char letter : terms[1]) {
      if (!Has(terms[0], letter)) columns += letter;
    }
    const std::vector<std::string> left = {rows, inner}, right = {inner, columns}, product = {rows, columns};
    Value* a = to.Merge(to.Move(operands[0], terms[0], batch + rows + inner), batch, left);
    Value* b = to.Merge(to.Move(operands[1], terms[1], batch + inner + columns), batch, right);
    Value* whole = to.Op(OpKind::kMatMul, {a, b});
    Value* parted = to.Part(whole, batch, product);
    Value* moved = to.Move(parted, batch + rows + columns, result);
    RETURN_IF_ERROR(to.failure);
    // Sizes that no Reshape can tell.
    if (to.untold)
      return Unimplemented("{}: several of its sizes are not known; fix them with --shape", Describe(einsum));
    RETURN_IF_ERROR(Rewrite(graph, einsum, OpKind::kIdentity, {moved}, {}));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kEinsum};

  struct Writer {
    Graph& graph;
    Node& node;
    const std::map<char, Dim>& sizes;
    absl::Status failure;
    bool untold = false;

    Value* Op(OpKind kind, std::vector<Value*> inputs, Attributes attributes = {}) {
      if (!failure.ok() || untold) return nullptr;
      auto added = AddInferred(graph, kind, std::move(inputs), node.output()->name + "/" + std::string(Name(kind)),
                               std::move(attributes), &node);
      if (!added.ok()) {
        failure = added.status();
        return nullptr;
      }
      return (*added)->output();
    }
    Value* Numbers(std::vector<int64_t> numbers) {
      return graph.AddConstant(node.output()->name + "/numbers", Tensor::Int64s(std::move(numbers)));
    }
    Value* Sum(Value* x, const std::vector<int64_t>& axes) {
      Attributes attributes;
      attributes.Set("keepdims", int64_t{0});
      return Op(OpKind::kReduceSum, {x, Numbers(axes)}, std::move(attributes));
    }
    Value* Move(Value* x, const std::string& from, const std::string& to) {
      if (from == to) return x;
      std::vector<int64_t> perm;
      for (const char letter : to) perm.push_back(static_cast<int64_t>(from.find(letter)));
      Attributes attributes;
      attributes.Set("perm", std::move(perm));
      return Op(OpKind::kTranspose, {x}, std::move(attributes));
    }
    Shape SizesOf(const std::string& letters) const {
      Shape shape;
      for (const char letter : letters) shape.push_back(sizes.at(letter));
      return shape;
    }
    Value* Reshape(Value* x, const Shape& from, const Shape& to) {
      if (x == nullptr || from == to) return x;
      const auto target = ReshapeTarget(from, to);
      if (!target) {
        untold = true;
        return nullptr;
      }
      return Op(OpKind::kReshape, {x, Numbers(*target)});
    }
    // The axes of each group as one.
    Value* Merge(Value* x, const std::string& batch, const std::vector<std::string>& groups) {
      Shape from = SizesOf(batch), to = from;
      for (const std::string& group : groups) {
        Dim size(1);
        for (const Dim& dim : SizesOf(group)) {
          from.push_back(dim);
          size = size * dim;
        }
        to.push_back(size);
      }
      return Reshape(x, from, to);
    }
    Value* Part(Value* x, const std::string& batch, const std::vector<std::string>& groups) {
      Shape from = SizesOf(batch), to = from;
      for (const std::string& group : groups) {
        Dim size(1);
        for (const Dim& dim : SizesOf(group)) {
          to.push_back(dim);
          size = size * dim;
        }
        from.push_back(size);
      }
      return Reshape(x, from, to);
    }
  };
};

}  // namespace

std::unique_ptr<Rule> MakeDecomposeEinsum() { return std::make_unique<DecomposeEinsum>(); }

}  // namespace slipway
