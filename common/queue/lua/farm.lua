-- Inserted into every script but open.lua. KEYS[1] is the farm's meta hash; all other keys share its prefix, and so its
-- cluster slot. Answers the error SCHEMA unless the farm's keys are of the schema that these scripts know.
local P = string.sub(KEYS[1], 1, -5)
local call = redis.call
if call('HGET', KEYS[1], 'schema') ~= '5' then
  return redis.error_reply('SCHEMA this farm is not of schema 5')
end

-- Milliseconds of the server's clock: the only clock of the queue. It stands still while a script runs.
local moment
local function now()
  if not moment then
    local time = call('TIME')
    moment = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return moment
end
