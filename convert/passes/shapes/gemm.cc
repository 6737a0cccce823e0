// Gemm, MatMul, Einsum.
#include <map>

#include "convert/passes/shapes/infer.h"

namespace slipway::shapes {
namespace {

absl::Status InferGemm(Inference& in) {
  if (!in.HasShape(0) || !in.HasShape(1)) return in.Set(0, in.type(0), UnknownShape(2));
  if (in.rank(0) != 2 || in.rank(1) != 2)
    return in.Error("operands of rank {} and {}; Gemm takes matrices", in.rank(0), in.rank(1));
  const bool trans_a = in.node.attributes.Int("transA", 0) != 0;
  const bool trans_b = in.node.attributes.Int("transB", 0) != 0;
  const Dim& k_a = in.shape(0)[trans_a ? 0 : 1];
  const Dim& k_b = in.shape(1)[trans_b ? 1 : 0];
  if (Contradict(k_a, k_b)) return in.Error("inner sizes {} and {} differ", k_a.ToString(), k_b.ToString());
  Shape out = {in.shape(0)[trans_a ? 1 : 0], in.shape(1)[trans_b ? 0 : 1]};
  if (in.HasShape(2)) {
    const std::optional<Shape> broadcast = Broadcast(out, in.shape(2));
    if (!broadcast || broadcast->size() != 2) {
      return in.Error("C of shape {} does not broadcast to {}", ToString(in.shape(2)), ToString(out));
    }
  }
  return in.Set(0, in.type(0), std::move(out));
}

// numpy.matmul: rank-1 operands get an axis that the result loses; leading axes broadcast.
absl::Status InferMatMul(Inference& in) {
  if (!in.HasShape(0) || !in.HasShape(1)) return in.Unranked();
  Shape a = in.shape(0), b = in.shape(1);
  if (a.empty() || b.empty()) return in.Error("a scalar operand; MatMul takes rank ≥ 1");
  const bool vector_a = a.size() == 1, vector_b = b.size() == 1;
  if (vector_a) a.insert(a.begin(), Dim(1));
  if (vector_b) b.push_back(Dim(1));
  const Dim& k_a = a.back();
  const Dim& k_b = b[b.size() - 2];
  if (Contradict(k_a, k_b)) return in.Error("inner sizes {} and {} differ", k_a.ToString(), k_b.ToString());
  std::optional<Shape> out = Broadcast(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  if (!out) return in.Error("batch sizes of {} and {} do not broadcast", ToString(a), ToString(b));
  if (!vector_a) out->push_back(a[a.size() - 2]);
  if (!vector_b) out->push_back(b.back());
  return in.Set(0, in.type(0), *std::move(out));
}

absl::Status InferEinsum(Inference& in) {
  std::string equation;
  for (char c : in.node.attributes.String("equation", "")) {
    if (c != ' ') equation.push_back(c);
  }
  const size_t arrow = equation.find("->");
  std::vector<std::string> terms(1);
  for (char c : equation.substr(0, arrow)) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back().push_back(c);
    }
  }
  if (terms.size() != in.node.inputs.size()) {
    return in.Error("equation '{}' has {} terms for {} inputs", equation, terms.size(), in.node.inputs.size());
  }
  std::map<char, Dim> sizes;
  std::map<char, int> counts;
  Shape ellipsis;
  bool has_ellipsis = false;
  for (size_t i = 0; i < terms.size(); ++i) {
    if (!in.HasShape(i)) return in.Unranked();
    const Shape& shape = in.shape(i);
    const size_t dots = terms[i].find("...");
    const size_t letters = terms[i].size() - (dots == std::string::npos ? 0 : 3);
    if (dots == std::string::npos ? letters != shape.size() : letters > shape.size()) {
      return in.Error("term '{}' does not fit shape {}", terms[i], ToString(shape));
    }
    size_t axis = 0;
    for (size_t c = 0; c < terms[i].size(); ++c) {
      if (terms[i][c] == '.') {
        const size_t count = shape.size() - letters;
        const std::optional<Shape> merged =
            Broadcast(ellipsis, Shape(shape.begin() + axis, shape.begin() + axis + count));
        if (!merged) return in.Error("ellipses of '{}' do not broadcast", equation);
        ellipsis = *merged;
        has_ellipsis = true;
        axis += count;
        c += 2;
        continue;
      }
      const auto [found, inserted] = sizes.emplace(terms[i][c], shape[axis]);
      ++counts[terms[i][c]];
      if (!inserted) {
        if (Contradict(found->second, shape[axis]) && found->second != Dim(1) && shape[axis] != Dim(1)) {
          return in.Error("index '{}' is {} and {}", terms[i][c], found->second.ToString(), shape[axis].ToString());
        }
        if (found->second == Dim(1) || !found->second.IsKnown()) found->second = shape[axis];
      }
      ++axis;
    }
  }
  std::string result;
  if (arrow != std::string::npos) {
    result = equation.substr(arrow + 2);
  } else {
    if (has_ellipsis) result = "...";
    for (const auto& [letter, count] : counts) {
      if (count == 1) result.push_back(letter);
    }
  }
  Shape out;
  for (size_t c = 0; c < result.size(); ++c) {
    if (result[c] == '.') {
      out.insert(out.end(), ellipsis.begin(), ellipsis.end());
      c += 2;
    } else if (const auto found = sizes.find(result[c]); found != sizes.end()) {
      out.push_back(found->second);
    } else {
      return in.Error("result index '{}' of '{}' is in no term", result[c], equation);
    }
  }
  return in.Set(0, in.type(0), std::move(out));
}

constexpr Entry kEntries[] = {
    {OpKind::kGemm, InferGemm}, {OpKind::kMatMul, InferMatMul}, {OpKind::kEinsum, InferEinsum}};

}  // namespace

std::span<const Entry> GemmFunctions() { return kEntries; }

}  // namespace slipway::shapes
