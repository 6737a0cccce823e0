// What a Redis user of a farm must be allowed, and no more.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace slipway {

// By name, lower-case.
std::span<const std::string_view> PermittedCommands();
// As ACL rules: "resetkeys ~{slipway:0}:* resetchannels &{slipway:0}:* -@all +blpop …".
std::string PermissionRules(std::string_view shard);

// Whether an error reply says that the user lacks a permission.
bool IsPermissionError(std::string_view reply);
// What to do about such a reply: the rule that it lacks, and all that the farm `shard` needs.
std::string PermissionAdvice(std::string_view reply, std::string_view shard);

}  // namespace slipway
