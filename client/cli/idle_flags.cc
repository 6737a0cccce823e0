#include "client/cli/idle_flags.h"

#include <fmt/format.h>

#include <array>

#include "client/cli/flags.h"

namespace slipway::cli {
namespace {

enum class When { kBeside, kWithout };

struct IdleFlag {
  std::string_view flag;
  When when;
  std::string_view other;
  std::string_view why;
  std::string_view verb = "";  // only of this one
};

constexpr std::string_view kNamesFarm = "that would name the farm that it is for";

// --priority is not here: a farm of one's own has nothing that could go before the request.
constexpr std::array kIdleFlags = {
    IdleFlag{"jobs", When::kBeside, "server", "that farm's workers have their own --slots"},
    IdleFlag{"python", When::kBeside, "server", "that farm's workers have their own --python", "export"},
    IdleFlag{"cache-dir", When::kBeside, "server", "that farm keeps what it made in its own store"},
    IdleFlag{"no-cache", When::kBeside, "server", "that farm keeps what it made; --fresh makes everything again"},
    IdleFlag{"cache-dir", When::kBeside, "no-cache", "nothing is kept"},
    IdleFlag{"tls", When::kWithout, "server", kNamesFarm},
    IdleFlag{"tls-ca", When::kWithout, "server", kNamesFarm},
    IdleFlag{"tls-cert", When::kWithout, "server", kNamesFarm},
    IdleFlag{"tls-key", When::kWithout, "server", kNamesFarm},
    IdleFlag{"token-file", When::kWithout, "server", kNamesFarm},
    IdleFlag{"insecure", When::kWithout, "server", kNamesFarm},
    IdleFlag{"out", When::kBeside, "detach", "`slipway fetch REQUEST --out DIR` writes the artifacts"},
    IdleFlag{"on-interrupt", When::kBeside, "detach", "the command ends before the farm begins"},
    IdleFlag{"tolerance", When::kBeside, "no-verify", "nothing is compared"},
    IdleFlag{"every", When::kBeside, "once", "there is one look"},
};

bool Speaks(const Settings& settings, std::string_view name) {
  return settings.Has(name) && (FindFlag(name)->type != FlagType::kSwitch || settings.Switch(name));
}

}  // namespace

std::vector<std::string> IdleFlags(std::string_view verb, const Settings& settings) {
  std::vector<std::string> lines;
  for (const IdleFlag& row : kIdleFlags) {
    if (!settings.Typed(row.flag) || !Speaks(settings, row.flag) || (!row.verb.empty() && row.verb != verb)) continue;
    const bool beside = Speaks(settings, row.other);
    if (beside != (row.when == When::kBeside)) continue;
    const std::string other = beside ? "beside " + settings.Source(row.other) : fmt::format("without --{}", row.other);
    lines.push_back(fmt::format("--{} does nothing {}: {}", row.flag, other, row.why));
  }
  return lines;
}

}  // namespace slipway::cli
