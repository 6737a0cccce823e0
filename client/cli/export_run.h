// One request on a farm, embedded or not: upload, submit, watch, collect.
#pragma once

#include <functional>
#include <mutex>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "client/cli/collector.h"
#include "client/cli/plan.h"
#include "client/lib/farm_client.h"
#include "client/report/output_folder.h"
#include "client/report/reporter.h"

namespace slipway::cli {

class ExportRun {
 public:
  // `own_farm`: its worker comes by itself, so nobody is told that there is none yet.
  ExportRun(ExportPlan& plan, Reporter& reporter, bool own_farm = false);

  // Fills in the digests of the plan's files: needs no farm yet. With the store of a farm to come they are put there in the same pass.
  absl::Status HashInputs(const SharedStore* store = nullptr);
  // Returns when the request has ended; cells that were cancelled are an end too. CANCELLED: stopped before it was
  // submitted. Otherwise the farm's or the machine's error.
  absl::Status Follow(FarmClient& farm, OutputFolder& out);
  // Returns once the request stands, and leaves it to the farm.
  absl::Status Submit(FarmClient& farm);
  // Follow for a request that somebody submitted.
  absl::Status Fetch(FarmClient& farm, const std::string& request_id, OutputFolder& out);

  // Asks for the end; `why` becomes the reason of what has not ended. From any thread, at any time.
  void Cancel(const std::string& why);
  bool cancelled() const;
  std::string cancel_reason() const;
  // Makes Follow return CANCELLED and leaves the request to the farm; before there is one, the same as Cancel. From any
  // thread, at any time.
  void Detach();
  bool detached() const;
  // Makes Follow return `error` at once. From any thread.
  void Abort(const absl::Status& error);
  absl::Status aborted() const;  // OK: not

  const std::string& request_id() const { return request_id_; }
  bool goes_on() const { return goes_on_; }  // whether Follow gave up on a farm that has the request
  const Outcomes& outcomes() const { return outcomes_; }

 private:
  enum class Phase { kBefore, kUploading, kSubmitting, kWatching, kEnded };

  // Does `work` while the calls of `farm` can be ended by the others.
  absl::Status With(FarmClient& farm, const std::function<absl::Status()>& work);
  absl::Status Upload(FarmClient& farm);
  absl::Status UploadAndSubmit(FarmClient& farm);
  absl::Status Watch(FarmClient& farm, OutputFolder& out);
  // Waits no more for the request; when others do, neither does the watch.
  absl::Status Leave(FarmClient& farm);
  // CANCELLED once Cancel() was called.
  absl::Status Enter(Phase phase);

  ExportPlan& plan_;
  Reporter& reporter_;
  const bool own_farm_;
  const std::string key_;
  mutable std::mutex mutex_;
  Phase phase_ = Phase::kBefore;
  FarmClient* farm_ = nullptr;
  bool cancelled_ = false, detached_ = false;
  bool goes_on_ = false;
  std::stop_source left_;  // the request goes on for others
  std::string cancel_reason_;
  absl::Status aborted_;
  std::string request_id_;
  Outcomes outcomes_;
};

}  // namespace slipway::cli
