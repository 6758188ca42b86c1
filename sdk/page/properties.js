// Converts the plain fields of the convenience calls to TikTok's properties. The value of every field is put into the property
// that TikTok reads.

export const propertiesOf = (fields) => {
  const { price, quantity, planName, billingCycle, orderId } = fields
  const name = fields.contentName ?? (planName && (billingCycle ? `${planName} (${billingCycle})` : planName))
  const id = fields.contentId ?? fields.planId ?? (name && orderId)
  const value = fields.value ?? total(price, quantity ?? 1)
  const content = id || name
  return {
    ...(content && {
      contents: [
        {
          content_id: id,
          content_type: 'product',
          content_name: name,
          content_category: fields.category,
          brand: fields.brand,
          price: price ?? (quantity > 1 ? undefined : value),
          quantity: quantity ?? 1,
        },
      ],
      content_type: 'product',
    }),
    value,
    currency: fields.currency,
    order_id: orderId,
    search_string: fields.query,
    description: fields.description,
    // TikTok does not read these properties, but the proxy stores them with the order.
    plan_id: fields.planId,
    billing_cycle: billingCycle,
  }
}

// Binary numbers cannot represent tenths exactly, so the product is rounded: 3 * 0.1 must give 0.3. A price that is a text is
// not multiplied, because a text such as "99.000" does not mean 99 in every currency.
const total = (price, quantity) =>
  typeof price == 'number' ? +(price * quantity).toFixed(6) : (quantity == 1 && price) || undefined
