// Text for terminals: numbers for people, columns, widths.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/report/reporter.h"

namespace slipway {

std::string HumanBytes(uint64_t bytes);      // "27.5 kB"
std::string HumanMilliseconds(double ms);    // "31 ms", "4.2 s"
size_t DisplayWidth(std::string_view text);  // code points
// At most `columns` code points; what is cut ends in "…".
std::string CutTo(std::string_view text, size_t columns);
// Every row's cells padded to their column's widest, two spaces between; no trailing spaces.
std::vector<std::string> Columns(const std::vector<std::vector<std::string>>& rows);

// "model target precision", or "model (prepare)".
std::string Title(const CellLine& cell);
// The line of an ended or changed cell: title, state, figures, reason.
std::string Describe(const CellLine& cell);
// The line of one of a preparation's warnings.
std::string Warning(const CellLine& cell, std::string_view warning);
// A failed preparation is the reason of all its model's cells; lines tell it once.
class Preparations {
 public:
  // The cell as it is to be told: without the reason that its model's preparation has given already.
  CellLine Told(const CellLine& cell);

 private:
  std::map<std::string, std::string> reasons_;  // model → why its preparation failed
};
// The final table and where the manifest is. `columns` > 0: the width of the terminal; paths are left out if they do not fit.
std::vector<std::string> SummaryLines(const RunEnd& end, size_t columns);

// SGR colour of a state ("32" green …); "" for none.
std::string_view ColourOf(std::string_view state);

}  // namespace slipway
