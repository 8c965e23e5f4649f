package recognition

import "sync"

type words struct{ chinese, english string }

// wording is the text of a code, with {1} and {2} for its details, the rule that finds it, and what its details are.
type wording struct {
	rule             Rule
	chinese, english string
	inputs           []words
}

var ruleNames = sync.OnceValue(func() []words {
	return []words{{},
		{"患者身份", "identity of the patient"},
		{"结果状态", "status of the result"},
		{"同一项目", "the same item"},
		{"互认目录", "catalogue"},
		{"质评资格", "qualification of the producer"},
		{"互认方向", "direction of tiers"},
		{"互认时限", "window"},
		{"可调阅与质量", "retrieval and quality"},
		{"变化快与危急值", "fast changes and critical values"},
		{"可重复检查的情形", "exemptions"},
		{"授权与敏感信息：无权查看的结果不参与判断", "policy and consent: what is withheld takes no part"},
	}
})

// wordings are the texts of all codes.
var wordings = sync.OnceValue(func() map[Code]wording {
	var (
		status    = []words{{"状态", "status"}}
		item      = []words{{"项目", "item"}}
		specimen  = []words{{"结果标本", "specimen of the result"}, {"所需标本", "specimen asked for"}}
		unit      = []words{{"结果单位", "unit of the result"}, {"目录单位", "unit of the catalogue"}}
		values    = []words{{"结果", "value"}, {"折算", "converted"}}
		modality  = []words{{"设备类型", "modality"}, {"所需设备类型", "modality asked for"}}
		region    = []words{{"部位", "region"}, {"所需部位", "region asked for"}}
		side      = []words{{"侧别", "side"}, {"所需侧别", "side asked for"}}
		contrast  = []words{{"增强方式", "contrast"}, {"所需增强方式", "contrast asked for"}}
		catalogue = []words{{"目录版本", "catalogue"}}
		mark      = []words{{"互认标识", "mark"}, {"适用范围", "scope"}}
		scope     = []words{{"适用范围", "scope"}, {"申请机构所在地", "regions of the orderer"}}
		tiers     = []words{{"出具机构级别", "tier of the producer"}, {"申请机构级别", "tier of the orderer"}}
		age       = []words{{"距检查（采样）", "age"}, {"时限", "window"}}
		quality   = []words{{"质量评分", "quality"}, {"最低要求", "least"}}
		exception = []words{{"情形", "situation"}, {"理由编码", "coded reason"}}
	)
	return map[Code]wording{
		IdentityCertain:   {RuleIdentity, "患者身份已确认", "the patient's identity is certain", nil},
		IdentityUncertain: {RuleIdentity, "无法确认该结果属于本患者", "it is not certain that the result is this patient's", nil},

		StatusFinal:     {RuleStatus, "结果已正式发布（{1}）", "the result is final ({1})", status},
		StatusNotFinal:  {RuleStatus, "结果尚未正式发布（{1}）", "the result is not final yet ({1})", status},
		StatusWithdrawn: {RuleStatus, "结果已撤销（{1}）", "the result was withdrawn ({1})", status},
		StatusUnknown:   {RuleStatus, "结果状态不明", "the status of the result is not known", status},

		ItemSame:        {RuleItem, "项目相同：{1}", "the same item: {1}", item},
		ItemSameCode:    {RuleItem, "项目编码相同", "the same code", nil},
		ItemOther:       {RuleItem, "项目不同：{1}", "another item: {1}", item},
		ItemUnknown:     {RuleItem, "无法判断是否为同一项目", "it is not known whether this is the same item", nil},
		SpecimenSame:    {RuleItem, "标本类型符合（{1}）", "the kind of specimen fits ({1})", specimen},
		SpecimenOther:   {RuleItem, "标本类型不同（{1}）", "another kind of specimen ({1})", specimen},
		SpecimenUnknown: {RuleItem, "标本类型不明", "the kind of specimen is not known", specimen},
		UnitSame:        {RuleItem, "单位相同（{1}）", "the same unit ({1})", unit},
		UnitConvertible: {RuleItem, "单位可换算：{1}，即{2}", "the unit can be converted: {1} is {2}", values},
		UnitOther:       {RuleItem, "单位无法换算为{2}（{1}）", "the unit cannot be converted to {2} ({1})", unit},
		UnitUnknown:     {RuleItem, "结果没有单位或单位无法识别（{1}）", "the result has no unit, or one that is not known ({1})", unit},
		ValueMissing:    {RuleItem, "结果没有数值", "the result has no number", nil},
		ModalitySame:    {RuleItem, "检查设备类型相同（{1}）", "the same modality ({1})", modality},
		ModalityOther:   {RuleItem, "检查设备类型不同（{1}）", "another modality ({1})", modality},
		ModalityUnknown: {RuleItem, "检查设备类型不明", "the modality is not known", modality},
		RegionCovered:   {RuleItem, "检查部位覆盖所申请部位（{1}）", "the region examined covers the one asked for ({1})", region},
		RegionOther:     {RuleItem, "检查部位未覆盖所申请部位（{1}）", "the region examined does not cover the one asked for ({1})", region},
		RegionUnknown:   {RuleItem, "检查部位不明或前后矛盾", "the region examined is not known, or stated in two ways", region},
		SideSame:        {RuleItem, "侧别相同", "the same side", side},
		SideOther:       {RuleItem, "侧别不同", "the other side", side},
		SideUnknown:     {RuleItem, "侧别不明", "the side is not known", side},
		ContrastSame:    {RuleItem, "平扫或增强方式符合", "contrast as asked for", contrast},
		ContrastOther:   {RuleItem, "平扫或增强方式不符", "contrast other than asked for", contrast},
		ContrastUnknown: {RuleItem, "是否增强不明", "it is not known whether contrast was given", contrast},

		InCatalogue:       {RuleCatalogue, "属于互认目录（{1}）", "the item is in the catalogue ({1})", catalogue},
		NotInCatalogue:    {RuleCatalogue, "不在互认目录内（{1}）", "the item is not in the catalogue ({1})", catalogue},
		ConsortiumAnyItem: {RuleCatalogue, "目录外项目，医联体内部互认", "not in the catalogue, but recognised inside the consortium", catalogue},

		Qualified:            {RuleQualification, "检查时该机构质评合格", "the producer was qualified when the result was taken", mark},
		NotQualified:         {RuleQualification, "检查时该机构质评不合格或已过期", "the producer was not qualified when the result was taken", nil},
		QualificationMissing: {RuleQualification, "未见该机构的质评记录", "there is no record of the producer's quality assessment", nil},
		ScopeOther:           {RuleQualification, "质评的适用范围（{1}）不含申请机构", "the scope of the assessment ({1}) leaves the orderer out", scope},
		ScopeUnknown:         {RuleQualification, "不能确定质评的适用范围（{1}）是否含申请机构", "it is not known whether the scope of the assessment ({1}) covers the orderer", scope},

		TierAllowed:       {RuleTier, "出具机构级别符合互认方向", "the direction of tiers allows it", tiers},
		TierLower:         {RuleTier, "出具机构级别低于申请机构", "the producer's tier is below the orderer's", tiers},
		TierUnqualified:   {RuleTier, "该方向的互认以质评合格为前提", "in this direction results count only of who is qualified", tiers},
		TierOther:         {RuleTier, "互认方向不允许", "the direction of tiers does not allow it", tiers},
		TierUnknown:       {RuleTier, "机构级别不明", "a tier is not known", tiers},
		ConsortiumAnyTier: {RuleTier, "同一医联体内不限机构级别", "inside the consortium all tiers recognise each other", tiers},

		InWindow:      {RuleWindow, "距检查（采样）{1}，在{2}时限内", "taken {1} ago, within {2}", age},
		TooOld:        {RuleWindow, "距检查（采样）{1}，超过{2}时限", "taken {1} ago, beyond {2}", age},
		WindowZero:    {RuleWindow, "该项目只供参考，不作互认", "this item is for reference only", nil},
		WindowOpen:    {RuleWindow, "距检查（采样）至多{1}，无法确定是否在{2}时限内", "taken up to {1} ago, so it is open whether that is within {2}", age},
		WindowUnknown: {RuleWindow, "该类项目未设互认时限", "no window is set for this kind of item", nil},
		TimeUnknown:   {RuleWindow, "检查（采样）时间不明", "it is not known when the result was taken", nil},
		TimeAhead:     {RuleWindow, "检查（采样）时间晚于当前时间", "the result was taken after the present moment", nil},

		Retrievable:      {RuleRetrieval, "数据或影像可以调阅", "data or images can be fetched", nil},
		NotRetrievable:   {RuleRetrieval, "数据或影像目前无法调阅", "data or images cannot be fetched at present", nil},
		RetrievalUnknown: {RuleRetrieval, "不能确定数据或影像能否调阅", "it is not known whether data or images can be fetched", nil},
		QualityEnough:    {RuleRetrieval, "质量评分{1}", "the quality is {1} of 100", quality},
		QualityLow:       {RuleRetrieval, "质量评分{1}，低于{2}", "the quality is {1} of 100, less than {2}", quality},
		QualityUnjudged:  {RuleRetrieval, "质量未经评分", "nobody judged the quality", nil},

		RapidChange:   {RuleCaution, "该指标变化快，请结合病情判断", "this value changes fast: judge by the patient's state", nil},
		ValueMoved:    {RuleCaution, "与此前结果相差较大：此前{1}，本次{2}", "the value has moved far: {1} before, {2} now", []words{{"此前", "before"}, {"本次", "now"}}},
		CriticalValue: {RuleCaution, "该结果为危急值，请结合病情判断", "this is a critical value: judge by the patient's state", nil},

		Exception:        {RuleExemption, "属于可以重复检查的情形：{1}", "a case in which the test may be repeated: {1}", exception},
		ExceptionUnknown: {RuleExemption, "申请中的特殊情形无法识别", "the order has a flag that is not known", nil},

		NoCandidate:     {0, "未找到可供互认的结果", "no earlier result was found", nil},
		PanelComplete:   {0, "组合内{1}个项目均可互认", "all {1} items of the panel are recognisable", []words{{"项目数", "items"}}},
		PanelIncomplete: {0, "组合内{2}个项目中{1}个可互认", "{1} of the {2} items of the panel are recognisable", []words{{"可互认", "recognisable"}, {"项目数", "items"}}},
	}
})
