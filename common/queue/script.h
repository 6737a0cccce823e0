// The queue's Lua scripts: lua/*.lua, built into the program.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace slipway {

struct ScriptSource {
  std::string_view name;  // file stem
  std::string_view text;
};
std::span<const ScriptSource> ScriptSources();  // generated

struct Script {
  std::string_view text;
  std::string sha1;  // lower-case hex: what EVALSHA wants
};

// `name` must be a script's file stem.
const Script& FindScript(std::string_view name);

}  // namespace slipway
