#!lua flags=allow-oom
-- Gives a worker the next task (lease_task.lua).
-- KEYS: 1 meta. ARGV: 1 worker, 2 token, 3 lease in ms, 4… classes. Returns the task, or nil when nothing is ready.
--!include farm.lua
--!include task.lua
--!include lease_task.lua
local leased = lease_task(unpack(ARGV))
flush()
return leased
