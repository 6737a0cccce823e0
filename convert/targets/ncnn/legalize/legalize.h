// Core IR → ops that NCNN has, in forms that it has.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "convert/ir/graph.h"
#include "convert/passes/pass.h"

namespace slipway::ncnn {

absl::Status Legalize(Graph& graph);

// Rules, each in the file of its family.
std::unique_ptr<Rule>
MakeLowerGemm();  // gemm.cc: alpha, beta and transB into the weights; computed factors to MatMul and Add
std::unique_ptr<Rule>
MakeSplitPadFromPool();  // pool.cc: padded averages that round up: Pad and a pool that counts what is there
std::unique_ptr<Rule> MakeFoldVariadic();       // elementwise.cc: Sum, Mean, Min, Max of many → pairs
std::unique_ptr<Rule> MakeExpandToTile();       // reshape.cc
std::unique_ptr<Rule> MakeSplitStridedSlice();  // slice.cc: steps over an image → Slice and a pool of one element
std::unique_ptr<Rule> MakeStepByColumn();       // slice.cc: steps over other axes → Slice of rows
std::unique_ptr<Rule> MakeGatherToSlice();      // slice.cc: Gather of one constant index, or of a run of them
std::unique_ptr<Rule> MakeComposeActivation();  // activation.cc: functions without a layer from those that have one
std::unique_ptr<Rule>
MakeComposeLogic();  // logic.cc: comparisons as x > number, Where as a weighted sum, Sign, ThresholdedRelu
std::unique_ptr<Rule>
MakeExpandPower();  // elementwise.cc: constant exponents, where the runtime's logarithm would fail
std::unique_ptr<Rule> MakeLowerBatchNorm();  // normalization.cc: of more than one sample: Mul and Add
std::unique_ptr<Rule> MakeFuseActivation();  // activation.cc: Relu and Clip into the convolution or product before them
std::unique_ptr<Rule> MakeComposeLogSoftmax();     // softmax.cc
std::unique_ptr<Rule> MakeFoldBatch();             // batch.cc: several samples as channels, or as one more spatial axis
std::unique_ptr<Rule> MakeResizeByMatrices();      // resize.cc: modes that Interp does not have
std::unique_ptr<Rule> MakeResizeByFilters();       // resize.cc: whole factors of an unknown size
std::unique_ptr<Rule> MakeResizeLikeAnother();     // resize.cc: sizes known only at run time, from another image's blob
std::unique_ptr<Rule> MakeLocateExtreme();         // select.cc: ArgMax, ArgMin, Hardmax by comparison with the extreme
std::unique_ptr<Rule> MakeRankByComparison();      // top.cc: TopK by how many are greater
std::unique_ptr<Rule> MakeOneHotByComparison();    // top.cc
std::unique_ptr<Rule> MakeWidenComparison();       // select.cc: comparisons of whole numbers
std::unique_ptr<Rule> MakeWidenPower();            // select.cc: powers of whole numbers
std::unique_ptr<Rule> MakeComposeRemainder();      // select.cc: Mod by Div, rounding, Mul and Sub
std::unique_ptr<Rule> MakeComposeSpecialValues();  // select.cc: IsInf, IsNaN by comparison with the greatest number
std::unique_ptr<Rule> MakeComputeWholeNumbers();   // whole.cc: arithmetic on whole numbers
std::unique_ptr<Rule> MakeCompareWholeNumbers();   // whole.cc: whole numbers as truth values
std::unique_ptr<Rule> MakeEmbedInput();            // gather.cc: tables read by an input, through casts
std::unique_ptr<Rule> MakeGatherByProduct();       // gather.cc: Gather by computed indices
std::unique_ptr<Rule> MakeGatherByFlatIndex();     // gather.cc: GatherND by computed indices

}  // namespace slipway::ncnn
