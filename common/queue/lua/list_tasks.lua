#!lua flags=no-writes
-- The tasks of a request that changed after a version, oldest change first.
-- KEYS: 1 meta. ARGV: 1 request, 2 version, 3 how many at most (1,000).
-- Returns {index, record, index, record…}. Error: GONE.
--!include farm.lua
if call('EXISTS', P .. 'request:' .. ARGV[1]) == 0 then return redis.error_reply('GONE the request is not there') end
local indexes = call('ZRANGE', P .. 'versions:' .. ARGV[1], '(' .. ARGV[2], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[3])
local answer = {}
if #indexes == 0 then return answer end
local records = call('HMGET', P .. 'tasks:' .. ARGV[1], unpack(indexes))
for i, index in ipairs(indexes) do
  answer[2 * i - 1] = index
  answer[2 * i] = records[i]
end
return answer
