// slipway verify DIR: every hash, every size, offline.
#include "common/manifest/verify.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "client/cli/outcome.h"
#include "client/cli/verb.h"
#include "client/report/text.h"
#include "common/base/error.h"

namespace slipway::cli {

int RunVerify(const Settings& settings, const Arguments& folder) {
  const absl::StatusOr<VerifyReport> report = VerifyFolder(folder[0]);
  if (!report.ok()) {
    // No manifest where the user says there is one: nothing was checked.
    if (absl::IsNotFound(report.status()))
      return Fail(WithKind(NotFound("{} holds no manifest.json", folder[0]), ErrorKind::kUsage));
    std::fprintf(stderr, "slipway: %s\n", Message(report.status()).c_str());
    return kExitNothingPassed;
  }
  if (settings.Switch("json")) {
    const nlohmann::ordered_json event = {{"event", "verified"},
                                          {"artifacts", report->artifacts},
                                          {"files", report->files},
                                          {"bytes", report->bytes},
                                          {"problems", report->problems}};
    std::puts(event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else {
    for (const std::string& problem : report->problems) std::puts(problem.c_str());
    std::puts(fmt::format("{} files of {} artifacts ({}) are as the manifest says{}", report->files, report->artifacts,
                          HumanBytes(report->bytes),
                          report->problems.empty() ? "" : fmt::format("; {} problems", report->problems.size()))
                  .c_str());
  }
  return report->problems.empty() ? kExitOk : kExitNothingPassed;
}

}  // namespace slipway::cli
