package recognition

import "sync"

type wording struct{ chinese, english string }

// wordings are the texts of all codes. Details are named by place, so that a language may use those it needs.
var wordings = sync.OnceValue(func() map[Code]wording {
	return map[Code]wording{
		IdentityCertain:      {"患者身份已确认", "the patient's identity is certain"},
		IdentityUncertain:    {"无法确认该结果属于本患者", "it is not certain that the result is this patient's"},
		StatusFinal:          {"结果已正式发布（%[1]s）", "the result is final (%[1]s)"},
		StatusNotFinal:       {"结果尚未正式发布（%[1]s）", "the result is not final yet (%[1]s)"},
		StatusWithdrawn:      {"结果已撤销（%[1]s）", "the result was withdrawn (%[1]s)"},
		StatusUnknown:        {"结果状态不明", "the status of the result is not known"},
		ItemSame:             {"项目相同：%[1]s", "the same item: %[2]s"},
		ItemSameCode:         {"项目编码相同", "the same code"},
		ItemOther:            {"项目不同：%[1]s", "another item: %[2]s"},
		ItemUnknown:          {"无法判断是否为同一项目", "it is not known whether this is the same item"},
		SpecimenOther:        {"标本类型不同", "another kind of specimen"},
		ModalitySame:         {"检查设备类型相同（%[1]s）", "the same modality (%[1]s)"},
		ModalityOther:        {"检查设备类型不同（%[1]s）", "another modality (%[1]s)"},
		ModalityUnknown:      {"检查设备类型不明", "the modality is not known"},
		RegionCovered:        {"检查部位覆盖所申请部位（%[1]s）", "the region examined covers the one asked for (%[1]s)"},
		RegionOther:          {"检查部位未覆盖所申请部位（%[1]s）", "the region examined does not cover the one asked for (%[1]s)"},
		RegionUnknown:        {"检查部位不明或前后矛盾", "the region examined is not known, or stated in two ways"},
		SideSame:             {"侧别相同", "the same side"},
		SideOther:            {"侧别不同", "the other side"},
		SideUnknown:          {"侧别不明", "the side is not known"},
		ContrastSame:         {"平扫或增强方式符合", "contrast as asked for"},
		ContrastOther:        {"平扫或增强方式不符", "contrast other than asked for"},
		ContrastUnknown:      {"是否增强不明", "it is not known whether contrast was given"},
		InCatalogue:          {"属于互认目录（%[1]s）", "the item is in the catalogue (%[1]s)"},
		NotInCatalogue:       {"不在互认目录内（%[1]s）", "the item is not in the catalogue (%[1]s)"},
		ConsortiumAnyItem:    {"目录外项目，医联体内部互认", "not in the catalogue, but recognised inside the consortium"},
		Qualified:            {"检查时该机构质评合格", "the producer was qualified when the result was taken"},
		NotQualified:         {"检查时该机构质评不合格或已过期", "the producer was not qualified when the result was taken"},
		QualificationMissing: {"未见该机构的质评记录", "there is no record of the producer's quality assessment"},
		TierAllowed:          {"出具机构级别符合互认方向", "the producer's tier is not below the orderer's"},
		TierLower:            {"出具机构级别低于申请机构", "the producer's tier is below the orderer's"},
		TierUnknown:          {"机构级别不明", "a tier is not known"},
		ConsortiumAnyTier:    {"同一医联体内不限机构级别", "inside the consortium all tiers recognise each other"},
		InWindow:             {"距检查（采样）%[1]s，在%[2]s时限内", "taken %[1]s ago, within %[2]s"},
		TooOld:               {"距检查（采样）%[1]s，超过%[2]s时限", "taken %[1]s ago, beyond %[2]s"},
		WindowZero:           {"该项目只供参考，不作互认", "this item is for reference only"},
		WindowOpen:           {"距检查（采样）至多%[1]s，无法确定是否在%[2]s时限内", "taken up to %[1]s ago, so it is open whether that is within %[2]s"},
		WindowUnknown:        {"该类项目未设互认时限", "no window is set for this kind of item"},
		TimeUnknown:          {"检查（采样）时间不明", "it is not known when the result was taken"},
		TimeAhead:            {"检查（采样）时间晚于当前时间", "the result was taken after the present moment"},
		Retrievable:          {"数据或影像可以调阅", "data or images can be fetched"},
		NotRetrievable:       {"数据或影像目前无法调阅", "data or images cannot be fetched at present"},
		RetrievalUnknown:     {"不能确定数据或影像能否调阅", "it is not known whether data or images can be fetched"},
		RapidChange:          {"该指标变化快，请结合病情判断", "this value changes fast: judge by the patient's state"},
		CriticalValue:        {"该结果为危急值，请结合病情判断", "this is a critical value: judge by the patient's state"},
		Exception:            {"属于可以重复检查的情形（%[1]s）", "a case in which the test may be repeated (%[1]s)"},
		ExceptionUnknown:     {"申请中的特殊情形无法识别", "the order has a flag that is not known"},
		NoCandidate:          {"未找到可供互认的结果", "no earlier result was found"},
	}
})
