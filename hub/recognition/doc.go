// Package recognition decides whether a result that exists may stand for one that is about to be ordered (检查检验结果互认).
// The decision is pure: it knows no store, no clock and no FHIR; whoever calls gathers the facts.
//
// The words:
//
//   - An Exam is what an order asks for or what a result shows, as its sender coded or wrote it.
//   - An Item is one row of the Catalogue: something that institutions have agreed to recognise.
//   - A Window is how long after it was taken a result of an Item holds. A window of 0 makes it a reference only.
//   - A Candidate is an earlier result with the facts about it; a Fact that is not known is never a pass.
//   - A Reason is what one rule found; all rules speak, whatever the others found.
//   - A Judgement gathers the Reasons of one Candidate, a Decision the Judgements of one order.
//
// The rules follow 《医疗机构检查检验结果互认管理办法》 (国卫医发〔2022〕6号); whatever a province or a consortium may settle
// for itself is data of the Catalogue.
package recognition
