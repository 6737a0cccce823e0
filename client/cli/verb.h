// The verbs: one function, one file each. Every one returns its exit code (outcome.h).
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/settings.h"

namespace slipway::cli {

using Arguments = std::vector<std::string>;

int RunExport(const Settings& settings, const Arguments& models);
int RunStatus(const Settings& settings, const Arguments& request);
int RunList(const Settings& settings, const Arguments& none);
int RunCancel(const Settings& settings, const Arguments& requests);
int RunRetry(const Settings& settings, const Arguments& requests);
int RunDelete(const Settings& settings, const Arguments& requests);
int RunFetch(const Settings& settings, const Arguments& request);
int RunWorkers(const Settings& settings, const Arguments& none);
int RunTop(const Settings& settings, const Arguments& none);
int RunWatch(const Settings& settings, const Arguments& request);
int RunVerify(const Settings& settings, const Arguments& folder);
int RunInspect(const Settings& settings, const Arguments& file);
int RunCompare(const Settings& settings, const Arguments& files);
int RunFormats(const Settings& settings, const Arguments& none);
int RunDoctor(const Settings& settings, const Arguments& none);
int RunToken(const Settings& settings, const Arguments& action);
int RunVersion(const Settings& settings, const Arguments& none);

// "slipway: <message>" on stderr; the exit code of the error's kind: 2 usage, 130 cancelled, else 5.
int Fail(const absl::Status& status);

}  // namespace slipway::cli
