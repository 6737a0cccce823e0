#!lua flags=allow-oom
-- Says how far a running task is. KEYS: 1 meta. ARGV: 1 request, 2 index, 3 token, 4 progress.
-- Returns 1, or 0 when the task is no longer this token's (nothing changes).
--!include farm.lua
--!include task.lua
local r = request(ARGV[1], ARGV[2])
local t = r and task(r, ARGV[2])
if not t or not owns(t, ARGV[3]) then return 0 end
t.progress = ARGV[4]
step(r, ARGV[2], t, 'R')
flush()
return 1
