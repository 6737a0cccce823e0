#!lua flags=no-writes
-- The tasks of a request that changed after a version, oldest change first.
-- KEYS: 1 meta. ARGV: 1 request, 2 version, 3 how many at most (1,000).
-- Returns {index, record, reasons of its attempts, index, record…}. Error: GONE.
--!include farm.lua
--!include task.lua
local r, since, most = request(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if not r then return redis.error_reply('GONE the request is not there') end
if r.version <= since then return {} end
local indexes = {}
if r.large then
  indexes = call('ZRANGE', P .. 'versions:' .. r.id, string.format('(%d', since), '+inf', 'BYSCORE', 'LIMIT', '0', most)
else
  load_tasks(r, 0, r.tasks - 1)
  for index, t in pairs(r.known) do
    if t and tonumber(t.version) > since then indexes[#indexes + 1] = index end
  end
  table.sort(indexes, function(a, b) return tonumber(r.known[a].version) < tonumber(r.known[b].version) end)
end
if not indexes[1] then return {} end
local records = call('HMGET', r.key, unpack(indexes, 1, math.min(#indexes, most)))
local reasons = call('EXISTS', P .. 'history:' .. r.id) == 1 and call('HMGET', P .. 'history:' .. r.id, unpack(indexes)) or {}
local answer = {}
for i, record in ipairs(records) do
  answer[3 * i - 2] = indexes[i]
  answer[3 * i - 1] = record
  answer[3 * i] = reasons[i] or ''
end
return answer
