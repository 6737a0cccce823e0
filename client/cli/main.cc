// slipway: the command line. Flags and verbs come from one table (flags.h).
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "client/cli/flags.h"
#include "client/cli/idle_flags.h"
#include "client/cli/outcome.h"
#include "client/cli/settings.h"
#include "client/cli/values.h"
#include "client/cli/verb.h"
#include "client/lib/interrupts.h"
#include "common/base/error.h"
#include "common/base/log.h"

namespace slipway::cli {
namespace {

constexpr int kHelpColumn = 30;

using VerbFunction = int (*)(const Settings&, const Arguments&);
const std::map<std::string_view, VerbFunction> kFunctions = {
    {"export", RunExport},   {"status", RunStatus},   {"list", RunList},       {"cancel", RunCancel},
    {"workers", RunWorkers}, {"watch", RunWatch},     {"verify", RunVerify},   {"doctor", RunDoctor},
    {"version", RunVersion}, {"inspect", RunInspect}, {"fetch", RunFetch},     {"retry", RunRetry},
    {"delete", RunDelete},   {"top", RunTop},         {"formats", RunFormats}, {"compare", RunCompare},
    {"token", RunToken}};

struct Parsed {
  std::map<std::string, std::vector<std::string>> flags;
  Arguments arguments;
};

// A flag may be repeated: CLI11 would show that as "..." behind each.
class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(kHelpColumn); }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_name().empty() ? "" : " " + option->get_type_name();
  }
  std::string make_option_usage(const CLI::Option* option) const override {
    return option->get_name(/*positional=*/true);
  }
};

void AddFlag(CLI::App& app, const Flag& flag) {
  const std::string name = "--" + std::string(flag.name);
  const std::string help = std::string(flag.help) + " [" + EnvironmentName(flag) + "]";
  if (flag.type == FlagType::kSwitch) {
    app.add_flag(name, help);  // "--no-verify=0" takes back what the environment says
    return;
  }
  const CLI::callback_t keep = [](const CLI::results_t&) { return true; };  // read by Collect
  app.add_option(name, keep, help)
      ->type_name(std::string(flag.value))
      ->type_size(1)
      ->expected(1, CLI::detail::expected_max_vector_size)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

// The flags that stood on the command line, as they stood there.
void Collect(const CLI::App& app, Parsed& parsed) {
  for (const Flag& flag : Flags()) {
    const CLI::Option* option = app.get_option_no_throw("--" + std::string(flag.name));
    if (option != nullptr && option->count() > 0) parsed.flags[std::string(flag.name)] = option->results();
  }
}

void AddVerb(CLI::App& app, const Verb& verb, Parsed& parsed) {
  CLI::App* sub = app.add_subcommand(std::string(verb.name), std::string(verb.summary));
  for (const Flag& flag : Flags()) {
    if (Takes(verb.name, flag)) AddFlag(*sub, flag);
  }
  if (verb.most != 0) {
    CLI::Option* option =
        sub->add_option(std::string(verb.arguments), parsed.arguments, std::string(verb.argument_help));
    option->expected(verb.least, verb.most < 0 ? CLI::detail::expected_max_vector_size : verb.most);
    if (verb.least > 0) option->required();
    option->type_name("");
  }
  sub->footer(
      "Examples:\n" + std::string(verb.examples) +
      "\n\nEvery flag is also an environment variable (in brackets) and a key of the --config file. Order: flag,\n"
      "environment, config. Exit codes: docs/cli.md.");
  sub->formatter(std::make_shared<HelpFormatter>());
}

std::vector<std::string> VerbNames() {
  std::vector<std::string> names;
  for (const Verb& verb : Verbs()) names.emplace_back(verb.name);
  return names;
}

int Main(int argc, char** argv) {
  Interrupts::Block();
  InitLogging("slipway");
  if (argc > 1 && argv[1][0] != '-' && !kFunctions.contains(argv[1])) {
    return Fail(WithKind(InvalidArgument("there is no verb '{}'{}", argv[1], DidYouMean(argv[1], VerbNames())),
                         ErrorKind::kUsage));
  }
  Parsed parsed;
  CLI::App app("Slipway makes of a trained model the files that devices run, and proves each one.", "slipway");
  app.set_version_flag("--version", "slipway " SLIPWAY_VERSION);
  app.require_subcommand(1);
  for (const Verb& verb : Verbs()) AddVerb(app, verb, parsed);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  const std::string verb = app.get_subcommands().front()->get_name();
  Collect(*app.get_subcommands().front(), parsed);
  const absl::StatusOr<Settings> settings = Settings::Resolve(verb, parsed.flags);
  if (!settings.ok()) return Fail(settings.status());
  for (const std::string& line : IdleFlags(verb, *settings))
    std::fprintf(stderr, "slipway: warning: %s\n", line.c_str());
  return kFunctions.at(verb)(*settings, parsed.arguments);
}

}  // namespace

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "slipway: %s\n", Message(status).c_str());
  const ErrorKind kind = KindOf(status);
  if (kind == ErrorKind::kCancelled) return kExitCancelled;
  return kind == ErrorKind::kUsage ? kExitUsage : kExitMachine;
}

}  // namespace slipway::cli

int main(int argc, char** argv) { return slipway::cli::Main(argc, argv); }
