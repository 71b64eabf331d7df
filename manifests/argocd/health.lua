-- Health of a SentimentService or a SentimentModel for Argo CD: put it into argocd-cm, for each kind under
-- resource.customizations.health.sentiment-operator.io_KIND (see docs/how-to/operate.md).
local status = obj.status
if status == nil or status.conditions == nil or status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "Waiting for the operator to see this version" }
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end

local ready, degraded, progressing = conditions.Ready, conditions.Degraded, conditions.Progressing
if degraded ~= nil and degraded.status == "True" then
  return { status = "Degraded", message = degraded.reason .. ": " .. degraded.message }
end
if ready ~= nil and ready.status == "True" then
  return { status = "Healthy", message = ready.message }
end
if ready ~= nil and ready.reason == "ScaledToZero" then
  return { status = "Suspended", message = ready.message }
end
if progressing ~= nil and progressing.status == "True" then
  return { status = "Progressing", message = progressing.reason .. ": " .. progressing.message }
end
return { status = "Progressing", message = ready ~= nil and ready.message or "Not ready yet" }
