// The plans that the shop sells, and the format of prices.

export const plans = [
  {
    id: 'homework',
    name: 'Homework',
    for: 'For keeping up, day by day',
    features: ['30 hints a day', 'Maths, physics, chemistry', 'Your mistakes, sorted by topic'],
    monthly: { VND: 99000, USD: 4.99 },
  },
  {
    id: 'exam',
    name: 'Exam',
    for: 'For the year of the big exam',
    features: ['Hints without limit', 'All subjects, English included', 'A mock paper every week'],
    monthly: { VND: 199000, USD: 9.99 },
    best: true,
  },
  {
    id: 'family',
    name: 'Family',
    for: 'For up to four learners',
    features: ['Everything in Exam, times four', 'A weekly letter to parents', 'One bill'],
    monthly: { VND: 349000, USD: 29 },
  },
];

const monthsPaidPerYear = 10;

export const planOf = (id) => plans.find((plan) => plan.id === id);

// Calculates in whole cents. Otherwise ten times 4.99 would be 49.900000000000006 and not 49.90.
export function priceOf(plan, currency, billing) {
  const cents = Math.round(plan.monthly[currency] * 100);
  return (billing === 'yearly' ? cents * monthsPaidPerYear : cents) / 100;
}

const formats = {
  VND: new Intl.NumberFormat('vi-VN', { style: 'currency', currency: 'VND' }),
  USD: new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD' }),
};

export const money = (amount, currency) => formats[currency].format(amount);

export const period = (billing) => (billing === 'yearly' ? 'a year' : 'a month');
