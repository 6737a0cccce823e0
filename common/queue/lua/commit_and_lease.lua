#!lua flags=allow-oom
-- commit.lua, then lease.lua.
-- KEYS: 1 meta. ARGV: 1 to 6 of commit.lua, 7… of lease.lua. Returns {answer to the commit, the leased task or nil}.
--!include farm.lua
--!include task.lua
--!include note.lua
--!include commit_task.lua
--!include lease_task.lua
local outcome = commit_task(unpack(ARGV, 1, 6))
if outcome == 'COMMITTED' then settle(request(ARGV[1])) end  -- what it opened is there to be leased
local leased = lease_task(unpack(ARGV, 7))
flush()
return {outcome, leased or false}
