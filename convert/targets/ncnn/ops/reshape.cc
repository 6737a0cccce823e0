// Reshape, Permute, PixelShuffle, Reorg, Tile: the same numbers elsewhere.
#include <algorithm>
#include <array>
#include <optional>

#include "common/base/error.h"
#include "convert/targets/ncnn/ops/ops.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {
namespace {

absl::Status CheckReshape(const Node& node) {
  const absl::StatusOr<Params> params = ReshapeParams(BlobShape(*node.input(0)), BlobShape(*node.output()));
  if (!params.ok()) return Unsupported(node, Message(params.status()), "fix the sizes with --shape");
  return absl::OkStatus();
}

// A blob that stays as it is goes through a layer that does nothing: its name is all that changes.
absl::Status EmitReshape(const Node& node, Emitter& emitter) {
  const Shape from = BlobShape(*node.input(0)), to = BlobShape(*node.output());
  if (from == to) return emitter.Layer("Noop", node, {node.input(0)}, {node.output()});
  ASSIGN_OR_RETURN(Params params, ReshapeParams(from, to));
  return emitter.Layer("Reshape", node, {node.input(0)}, {node.output()}, std::move(params));
}

// Permute's order types: which input axis each output axis is, from the innermost out.
constexpr std::array<std::string_view, 2> kOrders2 = {"wh", "hw"};
constexpr std::array<std::string_view, 6> kOrders3 = {"whc", "hwc", "wch", "cwh", "hcw", "chw"};
constexpr std::array<std::string_view, 24> kOrders4 = {"whdc", "hwdc", "wdhc", "dwhc", "hdwc", "dhwc", "whcd", "hwcd",
                                                       "wchd", "cwhd", "hcwd", "chwd", "wdch", "dwch", "wcdh", "cwdh",
                                                       "dcwh", "cdwh", "hdcw", "dhcw", "hcdw", "chdw", "dchw", "cdhw"};

// A transposition as a Permute of blobs: axes of size 1 may be left out on the way.
struct Permutation {
  Shape in, out;
  std::vector<int64_t> order;
};

std::optional<Permutation> PermutationOf(const Node& node) {
  const Shape& in = *node.input(0)->shape;
  std::vector<int64_t> order = node.attributes.Ints("perm");
  if (order.empty()) {
    for (size_t i = in.size(); i-- > 0;) order.push_back(static_cast<int64_t>(i));
  }
  // The axes that take part: with the batch in place all behind it; else all, if they fit; else those of more than one element.
  const bool keeps_batch = DropsBatch(*node.input(0)) && order[0] == 0;
  const auto without = [&](auto left_out) {
    Permutation permutation;
    std::vector<int64_t> place(in.size(), -1);
    for (size_t axis = 0; axis < in.size(); ++axis) {
      if (left_out(axis)) continue;
      place[axis] = static_cast<int64_t>(permutation.in.size());
      permutation.in.push_back(in[axis]);
    }
    for (const int64_t axis : order) {
      if (place[static_cast<size_t>(axis)] < 0) continue;
      permutation.order.push_back(place[static_cast<size_t>(axis)]);
      permutation.out.push_back(in[static_cast<size_t>(axis)]);
    }
    return permutation;
  };
  if (keeps_batch) {
    if (Permutation permutation = without([](size_t axis) { return axis == 0; });
        static_cast<int64_t>(permutation.in.size()) <= kMaxBlobRank)
      return permutation;
  }
  Permutation squeezed = without([&in](size_t axis) { return in[axis] == Dim(1); });
  if (static_cast<int64_t>(squeezed.in.size()) <= kMaxBlobRank) return squeezed;
  return std::nullopt;
}

absl::Status CheckTranspose(const Node& node) {
  if (!PermutationOf(node))
    return Unsupported(node, fmt::format("a transposition of {}", ToString(*node.input(0)->shape)),
                       "NCNN's blobs have four axes, the batch not counted");
  return absl::OkStatus();
}

absl::Status EmitTranspose(const Node& node, Emitter& emitter) {
  const Permutation permutation = *PermutationOf(node);
  if (std::ranges::is_sorted(permutation.order)) return EmitReshape(node, emitter);
  std::string letters;
  for (size_t i = permutation.order.size(); i-- > 0;) {
    letters += std::string_view(permutation.in.size() == 4   ? "cdhw"
                                : permutation.in.size() == 3 ? "chw"
                                                             : "hw")[static_cast<size_t>(permutation.order[i])];
  }
  const std::span<const std::string_view> orders = letters.size() == 4   ? std::span<const std::string_view>(kOrders4)
                                                   : letters.size() == 3 ? std::span<const std::string_view>(kOrders3)
                                                                         : std::span<const std::string_view>(kOrders2);
  const int64_t type = std::ranges::find(orders, letters) - orders.begin();
  return emitter.Layer("Permute", node, {{node.input(0), permutation.in}}, {{node.output(), permutation.out}},
                       {{0, type}});
}

absl::Status CheckImage(const Node& node) {
  if (node.input(0)->rank() != 4 || !DropsBatch(*node.input(0)))
    return Unsupported(node, "an input that is not one image", "NCNN's blobs hold one sample: export with batch 1");
  return absl::OkStatus();
}

absl::Status EmitDepthToSpace(const Node& node, Emitter& emitter) {
  const bool blocks_first = node.attributes.String("mode", "DCR") == "DCR";
  return emitter.Layer("PixelShuffle", node, {node.input(0)}, {node.output()},
                       {{0, node.attributes.Int("blocksize", 1)}, {1, int64_t{blocks_first}}});
}

absl::Status EmitSpaceToDepth(const Node& node, Emitter& emitter) {
  return emitter.Layer("Reorg", node, {node.input(0)}, {node.output()},
                       {{0, node.attributes.Int("blocksize", 1)}, {1, int64_t{1}}});
}

absl::Status CheckTile(const Node& node) {
  if (node.constant(1) == nullptr) return Unsupported(node, "computed repeats", "NCNN's Tile has them as parameters");
  const std::vector<int64_t> repeats = node.constant(1)->ToInt64s();
  if (std::ranges::any_of(repeats, [](int64_t repeat) { return repeat < 1; }))
    return Unsupported(node, "repeats below 1", "NCNN has no empty blobs");
  if (!DropsBatch(*node.output()) && node.output()->rank() > kMaxBlobRank)
    return Unsupported(node, "too many axes", "NCNN's blobs have four");
  return absl::OkStatus();
}

absl::Status EmitTile(const Node& node, Emitter& emitter) {
  std::vector<int64_t> repeats = node.constant(1)->ToInt64s();
  const bool drop = DropsBatch(*node.input(0)) && DropsBatch(*node.output());
  if (drop) repeats.erase(repeats.begin());
  if (repeats.empty()) repeats.push_back(1);
  return emitter.Layer("Tile", node, {Use(node.input(0), drop)}, {Use(node.output(), drop)}, {{2, repeats}});
}

}  // namespace

std::span<const OpEmitter> ReshapeOps() {
  static constexpr OpEmitter kOps[] = {
      {OpKind::kReshape, CheckReshape, EmitReshape, true},
      {OpKind::kFlatten, CheckReshape, EmitReshape, true},
      {OpKind::kSqueeze, CheckReshape, EmitReshape, true},
      {OpKind::kUnsqueeze, CheckReshape, EmitReshape, true},
      {OpKind::kIdentity, CheckReshape, EmitReshape, true},
      {OpKind::kTranspose, CheckTranspose, EmitTranspose, true},
      {OpKind::kDepthToSpace, CheckImage, EmitDepthToSpace},
      {OpKind::kSpaceToDepth, CheckImage, EmitSpaceToDepth},
      {OpKind::kTile, CheckTile, EmitTile},
  };
  return kOps;
}

}  // namespace slipway::ncnn
