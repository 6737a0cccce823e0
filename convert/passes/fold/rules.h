// The folding rules, each in its file; the list is in passes/fold.cc.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway::fold {

std::unique_ptr<Rule> FoldConstants();           // a node of constants → its results
std::unique_ptr<Rule> FoldShapeArithmetic();     // integers that shapes decide → a constant
std::unique_ptr<Rule> RemoveIdentities();        // nodes that change nothing
std::unique_ptr<Rule> MergeTransposes();         // Transpose ∘ Transpose
std::unique_ptr<Rule> MergeReshapes();           // Reshape ∘ Reshape and kin; computed shapes → constants
std::unique_ptr<Rule> InlineIf();                // If of a constant condition
std::unique_ptr<Rule> BroadcastWithoutExpand();  // an Expand that its readers do themselves
std::unique_ptr<Rule> OpenEnds();                // Slice to an end beyond any size → to the end
std::unique_ptr<Rule> GatherToReshape();         // a Gather of all elements in their order
std::unique_ptr<Rule> DropEmptyParts();          // a Concat's parts without elements

}  // namespace slipway::fold
