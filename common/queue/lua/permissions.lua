#!lua flags=no-writes,allow-oom
-- What the caller may not do with the farm's keys and channels. Asked before a farm's work begins: a script that is refused
-- a command in its middle leaves half of its work.
-- KEYS: 1 meta. ARGV: commands. Returns those that are refused.
local refused = {}
for _, command in ipairs(ARGV) do
  if not redis.acl_check_cmd(command, KEYS[1], KEYS[1], KEYS[1]) then refused[#refused + 1] = command end
end
return refused
