#!lua flags=allow-oom
-- Gives a leased task back to the head of its flow.
-- KEYS: 1 meta. ARGV: 1 request, 2 index, 3 token, 4 delay in ms, 5 "1" if the attempt counts, 6 most attempts, 7 reason,
-- 8 ms for which only other workers get it (0: anybody), 9 "1" if it killed its process, 10 "1" for a class of more memory
-- where a worker has one, 11 lease in ms.
-- Returns COMMITTED, ALREADY (this token gave it back and nobody has taken it since, or it ended so), CANCELLED, FENCED.
--!include farm.lua
--!include task.lua
--!include note.lua
--!include give_back.lua
--!include workers.lua
local index, token = ARGV[2], ARGV[3]
local r = request(ARGV[1], index)
local t = r and task(r, index)
if not t then return 'FENCED' end
if t.state ~= 'R' and t.token == token then return 'ALREADY' end
if t.state == 'C' or r.state == 'C' then return 'CANCELLED' end
if not owns(t, token) then return 'FENCED' end

-- "any+8g" has more memory than "any+4g" and "any".
local function memory(class)
  local name, size = string.match(class, '^(.*)%+(%d+)g$')
  return name or class, tonumber(size or 0)
end

local function larger(class)
  local name, size = memory(class)
  local best, best_size
  for offered in pairs(offers(tonumber(ARGV[11]))) do
    local n, s = memory(offered)
    if n == name and s > size and (not best or s < best_size) then best, best_size = offered, s end
  end
  return best
end

-- Whether anybody but the worker that failed it has shown up within a lease.
local function others()
  local seen = call('ZRANGE', P .. 'seen', now() - tonumber(ARGV[11]), '+inf', 'BYSCORE', 'LIMIT', '0', 2)
  return seen[2] or (seen[1] and seen[1] ~= t.worker)
end

local how = {delay = tonumber(ARGV[4]), counted = ARGV[5] == '1', max_attempts = tonumber(ARGV[6]), reason = ARGV[7],
             elsewhere = tonumber(ARGV[8]), killed = ARGV[9] == '1', class = ARGV[10] == '1' and larger(t.class) or nil}
if how.elsewhere > 0 and not others() then how.elsewhere = 0 end
if how.class then
  if not string.find(',' .. r.classes .. ',', ',' .. how.class .. ',', 1, true) then
    r.classes = r.classes .. ',' .. how.class
    r.fields.ab = about(r)
  end
end
release(token)
give_back(r, index, t, how)
flush()
return 'COMMITTED'
