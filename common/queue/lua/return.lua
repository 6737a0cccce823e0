#!lua flags=allow-oom
-- Gives a leased task back to the head of its flow.
-- KEYS: 1 meta. ARGV: 1 request, 2 index, 3 token, 4 delay in ms, 5 "1" if the attempt counts, 6 most attempts, 7 reason.
-- Returns COMMITTED, ALREADY (this token gave it back and nobody has taken it since, or it ended so), CANCELLED, FENCED.
--!include farm.lua
--!include task.lua
local index, token, counted = ARGV[2], ARGV[3], ARGV[5] == '1'
local r = request(ARGV[1])
local t = r and task(r, index)
if not t then return 'FENCED' end
if t.state ~= 'R' and t.token == token then return 'ALREADY' end
if t.state == 'C' or r.state == 'C' then return 'CANCELLED' end
if not owns(t, token) then return 'FENCED' end
release(token)
if not counted then t.attempts = string.format('%d', t.attempts - 1) end
give_back(r, index, t, tonumber(ARGV[4]), counted, tonumber(ARGV[6]), ARGV[7])
save(r)
return 'COMMITTED'
