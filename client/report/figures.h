// Figures of an ended cell out of its result.
#pragma once

#include "client/report/reporter.h"
#include "common/task/task.h"
#include "proto/slipway/v1/export.pb.h"

namespace slipway {

// The manifest's name of a state: "passed", "parity_failed", "running", ….
std::string_view StateName(v1::CellState state);
bool IsEnded(v1::CellState state);

CellLine ToLine(const v1::Cell& cell);
// Adds error, size, time and path from the result of a cell, warnings from that of a preparation.
void AddFigures(const TaskResult& result, CellLine& line);

}  // namespace slipway
