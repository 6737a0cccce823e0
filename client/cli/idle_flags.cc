#include "client/cli/idle_flags.h"

#include <array>

#include "client/cli/flags.h"
#include "common/base/error.h"

namespace slipway::cli {
namespace {

enum class When { kBeside, kWithout };

struct IdleFlag {
  std::string_view flag;
  When when;
  std::string_view other;
  std::string_view instead;
  std::string_view verb = "";  // only of this one
};

constexpr std::string_view kNamesFarm = "name the farm that it is for";

// --priority is not here: a farm of one's own has nothing that could go before the request.
constexpr std::array kIdleFlags = {
    IdleFlag{"jobs", When::kBeside, "server", "that farm's workers have their own --slots"},
    IdleFlag{"python", When::kBeside, "server", "that farm's workers have their own --python", "export"},
    IdleFlag{"cache-dir", When::kBeside, "server", "that farm keeps what it made in its own store"},
    IdleFlag{"no-cache", When::kBeside, "server", "that farm keeps what it made; --fresh makes everything again"},
    IdleFlag{"cache-dir", When::kBeside, "no-cache", "give one of them"},
    IdleFlag{"tls", When::kWithout, "server", kNamesFarm},
    IdleFlag{"tls-ca", When::kWithout, "server", kNamesFarm},
    IdleFlag{"tls-cert", When::kWithout, "server", kNamesFarm},
    IdleFlag{"tls-key", When::kWithout, "server", kNamesFarm},
    IdleFlag{"token-file", When::kWithout, "server", kNamesFarm},
    IdleFlag{"insecure", When::kWithout, "server", kNamesFarm},
    IdleFlag{"out", When::kBeside, "detach", "give --out to `slipway fetch`, which writes the artifacts"},
    IdleFlag{"on-interrupt", When::kBeside, "detach", "the command ends before the farm begins"},
    IdleFlag{"tolerance", When::kBeside, "no-verify", "nothing is compared then; give one of them"},
    IdleFlag{"every", When::kBeside, "once", "there is one look; give one of them"},
};

bool Speaks(const Settings& settings, std::string_view name) {
  return settings.Has(name) && (FindFlag(name)->type != FlagType::kSwitch || settings.Switch(name));
}

}  // namespace

absl::Status RefuseIdleFlags(std::string_view verb, const Settings& settings) {
  for (const IdleFlag& row : kIdleFlags) {
    if (!settings.Typed(row.flag) || !Speaks(settings, row.flag) || (!row.verb.empty() && row.verb != verb)) continue;
    const bool beside = Speaks(settings, row.other);
    if (beside != (row.when == When::kBeside)) continue;
    const std::string other = beside ? "beside " + settings.Source(row.other) : fmt::format("without --{}", row.other);
    return WithKind(InvalidArgument("--{} does nothing {}: {}", row.flag, other, row.instead), ErrorKind::kUsage);
  }
  return absl::OkStatus();
}

}  // namespace slipway::cli
